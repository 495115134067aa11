"""Rows and queries, one noun a file; no rules.

Models are typed SQLAlchemy classes; queries are Core statements on a `Connection`, so that a
hot read costs one prepared statement and no object bookkeeping. Times are epoch seconds.
"""
