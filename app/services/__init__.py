"""Use cases: load the facts, ask the domain, own the transaction and the audit row.

Every door (OAuth endpoints, console, command line, management API) comes through here, and no
rule lives in two places. Each service takes the `Runtime` first: the clock, the randomness,
the store and the keys are handed in, never reached for.
"""
