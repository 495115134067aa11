"""The virtual servers: kept in memory, gone with the process.

Who owns what is decided here: every method takes the root account that asks, and a server of
another account does not exist for it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from app.verifier import Actor, VerifiedToken

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}|\*")

Status = Literal["running", "stopped", "deleted"]


class NoSuchServer(LookupError):
    """The account owns no server with this id."""


@dataclass(frozen=True)
class Action:
    """What was done last: with whose rights, who used them, when (epoch seconds)."""

    name: str
    token: VerifiedToken
    at: float

    def to_json(self) -> dict[str, object]:
        actor = self.token.actor
        return {
            "action": self.name,
            "at": datetime.fromtimestamp(self.at, UTC).isoformat(timespec="seconds"),
            "subject": self.token.subject,
            "subjectType": self.token.user_type,
            "clientId": self.token.client_id,
            "actor": None if actor is None else _actor_json(actor),
            "decisionId": self.token.decision_id,
        }


@dataclass(frozen=True)
class Server:
    """One virtual server. `account_id` is the root account that owns it."""

    id: str
    name: str
    account_id: str
    status: Status = "running"
    last_action: Action | None = None

    @property
    def vrn(self) -> str:
        return vrn_of(self.account_id, self.id)

    def to_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "vrn": self.vrn,
            "name": self.name,
            "status": self.status,
            "accountId": self.account_id,
            "lastAction": None if self.last_action is None else self.last_action.to_json(),
        }


class ServerRoom:
    """All servers of all accounts. Safe to share between threads."""

    def __init__(self, servers: Iterable[Server]) -> None:
        self._lock = threading.Lock()
        self._servers = {server.id: server for server in servers}

    def list(self, account_id: str) -> list[Server]:
        with self._lock:
            return [each for each in self._servers.values() if each.account_id == account_id]

    def get(self, account_id: str, server_id: str) -> Server:
        """Raises `NoSuchServer`."""
        with self._lock:
            return self._find(account_id, server_id)

    def set_status(self, account_id: str, server_id: str, status: Status, action: Action) -> Server:
        """Start or stop it. A server that is so already stays so. Raises `NoSuchServer`."""
        with self._lock:
            server = self._find(account_id, server_id)
            changed = replace(server, status=status, last_action=action)
            self._servers[server_id] = changed
            return changed

    def delete(self, account_id: str, server_id: str, action: Action) -> Server:
        """Returns what it was, with the action that ended it. Raises `NoSuchServer`."""
        with self._lock:
            server = self._find(account_id, server_id)
            del self._servers[server_id]
            return replace(server, status="deleted", last_action=action)

    def _find(self, account_id: str, server_id: str) -> Server:
        server = self._servers.get(server_id)
        if server is None or server.account_id != account_id:
            raise NoSuchServer(server_id)
        return server


def vrn_of(account_id: str, server_id: str) -> str:
    """The name of a server, there or not. Raises `NoSuchServer` for what is no server's id."""
    if not _ID.fullmatch(server_id):
        raise NoSuchServer(server_id)
    return f"vserver::{account_id}:server/{server_id}"


def demo_servers(account_id: str) -> list[Server]:
    """The two servers that the demo starts with."""
    return [
        Server("srv-web-1", "web-1", account_id),
        Server("srv-db-1", "db-1", account_id),
    ]


def _actor_json(actor: Actor) -> dict[str, object]:
    return {
        "subject": actor.subject,
        "accountId": actor.account_id,
        "userType": actor.user_type,
        "username": actor.username,
        "name": actor.name,
    }
