"""The OAuth and OpenID Connect door: it speaks the protocol and decides nothing.

`server` wires it; `endpoints/token` is the walk that every token request takes.
"""
