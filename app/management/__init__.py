"""The management API: JSON over HTTP, one file a resource, nothing decided here.

`operations` is the list of all calls; `dispatch` does for each what all have in common (who calls,
is the request well-formed, idempotency, preconditions, errors, the audit of what was read or
refused) and `openapi` describes them from the very models that validate. What a call does is in
the services, which ask the policies for every door alike.
"""
