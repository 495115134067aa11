"""Keys, claims, signing and checking: everything that is a token or a secret.

- ``key_files``  what a key looks like on disk: one PEM, one ``Created`` line, mode 0600
- ``keyring``    next, active and retired keys; the JWKS; reload while running
- ``claims``     claim sets as plain values
- ``issuer``     the only place that signs
- ``checker``    our own tokens: algorithm allow-list, header, signature, ``iss``, times, types
- ``secrets``    random secrets and identifiers, keyed hashes of secrets, password hashes

The floor knows no database, no request and no policy. Time and randomness are passed in.
"""

from __future__ import annotations
