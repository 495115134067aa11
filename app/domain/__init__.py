"""Values and decisions: the pure floor of Crossroot.

Nothing here reads a clock, a database or a request; the standard library is all it imports.
Start with `impersonation`, the question the product exists for; `policy` and `conditions`
are what it stands on.
"""
