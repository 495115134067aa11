"""What an operator can set, each from one environment variable."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field


class SettingsError(ValueError):
    """A variable holds what the server can't start with; the message says which, and what may."""


@dataclass(frozen=True)
class Settings:
    """`VSERVER_` and the field's name in capitals.

    `client_id` and `client_secret` are those of this API's own client, `issuer` is the
    authorization server, `audience` this API's identifier URI there. `account` is the root account
    that owns the two servers of the demo.
    """

    client_id: str
    client_secret: str = field(repr=False)
    issuer: str = "http://127.0.0.1:8000"
    audience: str = "https://vserver.example"
    host: str = "localhost"
    port: int = 8001
    account: str = "60108"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read the variables; an empty one counts as not set. Raises `SettingsError`."""

        def read(name: str, default: str) -> str:
            return environ.get(f"VSERVER_{name}", "").strip() or default

        port = read("PORT", str(cls.port))
        if not re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) or not 1 <= int(port) <= 65535:
            raise SettingsError(f"VSERVER_PORT is {port!r}; expected a port from 1 to 65535.")
        account = read("ACCOUNT", cls.account)
        if not re.fullmatch(r"[0-9]{1,20}", account, re.ASCII):
            raise SettingsError(
                f"VSERVER_ACCOUNT is {account!r}; expected the number of a root account."
            )
        client_id, client_secret = read("CLIENT_ID", ""), read("CLIENT_SECRET", "")
        if not (client_id and client_secret):
            raise SettingsError(
                "VSERVER_CLIENT_ID and VSERVER_CLIENT_SECRET are needed: this API's own client, "
                "which asks the authorization server what a token may be used for."
            )
        return cls(
            client_id=client_id,
            client_secret=client_secret,
            issuer=read("ISSUER", cls.issuer),
            audience=read("AUDIENCE", cls.audience),
            host=read("HOST", cls.host),
            port=int(port),
            account=account,
        )

    def address(self) -> str:
        """The IP address to listen on, IPv4 if the host has one. Raises `SettingsError`."""
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise SettingsError(f"VSERVER_HOST is {self.host!r}, which has no address.") from error
        found.sort(key=lambda entry: entry[0] != socket.AF_INET)
        return str(found[0][4][0])
