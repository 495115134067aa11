"""Crossroot: an OAuth 2.0 / OpenID Connect authorization server for many root accounts.

The map of the house. Imports go down only; rooms on one floor never import each other.

    cli            the `crossroot` command: serve, demo, keys, accounts, products
    factory        create_app(settings): the ordered wiring, the table of contents
    oauth  management  evaluation
                   the doors: each speaks a protocol and decides nothing
    services       use cases: load the facts, ask the domain, own the transaction and the audit row
    storage        rows and queries, no rules
    tokens         keys, claims, signing, checking
    domain         values and decisions, standard library only
    settings       typed, from the environment; refuses unsafe production values

`verifier`, the kit for resource servers, imports nothing else of `app` and nothing here needs it.

The question the product exists for, "may this user become this service account?", is answered by
one pure function in `domain/impersonation.py`.

`make lint` checks the floors (the contracts are in pyproject.toml).
"""

from __future__ import annotations

__version__ = "0.1.0.dev0"
