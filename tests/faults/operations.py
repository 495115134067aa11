"""What a client does when the server dies, and what has to hold for it afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from tests.faults.site import Answer, CrashSite
from tests.support.world import ACCESS_TOKEN, CLI, EXCHANGE, claims_of

_PURPOSES = {"code": "authorization-code", "refresh": "refresh-token"}


class Operation(Protocol):
    """`prepare` makes what is needed for one call. `settle` looks at it after the restart, and
    does it again; `answer` is what the client heard, None where the connection broke."""

    def prepare(self, site: CrashSite) -> Any: ...

    def perform(self, site: CrashSite, item: Any) -> Answer: ...

    def settle(self, site: CrashSite, item: Any, answer: Answer) -> None: ...


def _digest(site: CrashSite, secret: str, kind: str) -> str:
    return site.world.runtime.secrets.hash(secret, _PURPOSES[kind])


def _status(answer: Answer) -> tuple[int, str | None]:
    assert answer is not None
    return answer.status_code, answer.json().get("error")


def _holds(site: CrashSite, answer: Answer, event: str) -> None:
    """A token that the client got is in force, and its audit row is there."""
    assert answer is not None
    token = answer.json()["access_token"]
    jti = claims_of(token)["jti"]
    assert site.rows("SELECT event, outcome FROM audit_events WHERE token_id = ?", jti) == [
        (event, "allowed")
    ]
    assert site.rows("SELECT revoked_at FROM tokens WHERE id = ?", jti) == [(None,)]


class CodeRedemption:
    def prepare(self, site: CrashSite) -> str:
        return site.code()

    def perform(self, site: CrashSite, item: str) -> Answer:
        return site.redeem(item)

    def settle(self, site: CrashSite, item: str, answer: Answer) -> None:
        found = "SELECT used_at FROM authorization_codes WHERE digest = ?"
        [(used_at,)] = site.rows(found, _digest(site, item, "code"))
        if answer is not None:
            assert _status(answer) == (200, None)
            assert used_at is not None
            _holds(site, answer, "token:issue")
            assert site.is_active(answer.json()["access_token"])
        if used_at is None:
            assert _status(site.redeem(item)) == (200, None)
        assert _status(site.redeem(item)) == (400, "invalid_grant")


class RefreshRotation:
    def prepare(self, site: CrashSite) -> str:
        return str(site.tokens()["refresh_token"])

    def perform(self, site: CrashSite, item: str) -> Answer:
        return site.post(
            "/oauth2/token", grant_type="refresh_token", client_id=CLI, refresh_token=item
        )

    def settle(self, site: CrashSite, item: str, answer: Answer) -> None:
        found = "SELECT used_at FROM refresh_tokens WHERE digest = ?"
        [(used_at,)] = site.rows(found, _digest(site, item, "refresh"))
        if answer is not None:
            assert _status(answer) == (200, None)
            assert used_at is not None
            _holds(site, answer, "token:refresh")
            assert site.is_active(answer.json()["access_token"])
            assert _status(self.perform(site, answer.json()["refresh_token"])) == (200, None)
        if used_at is None:
            assert _status(self.perform(site, item)) == (200, None)
        # Used twice: the family ends, as whoever came second may be the client.
        assert _status(self.perform(site, item)) == (400, "invalid_grant")


class Exchange:
    """Nothing is used up; each call is a decision of its own."""

    def prepare(self, site: CrashSite) -> str:
        return str(site.tokens()["access_token"])

    def perform(self, site: CrashSite, item: str) -> Answer:
        return site.post(
            "/oauth2/token",
            grant_type=EXCHANGE,
            client_id=CLI,
            subject_token=item,
            subject_token_type=ACCESS_TOKEN,
            requested_subject=site.world.service_account_id,
        )

    def settle(self, site: CrashSite, item: str, answer: Answer) -> None:
        parent = claims_of(item)["jti"]
        made = site.rows("SELECT id, decision_id FROM tokens WHERE parent_id = ?", parent)
        decisions = "SELECT id FROM audit_events WHERE token_id = ?"
        assert all(site.rows(decisions, token) == [(decision,)] for token, decision in made)
        assert len(made) <= 1
        if answer is not None:
            assert _status(answer) == (200, None)
            token = answer.json()["access_token"]
            claims = claims_of(token)
            assert made == [(claims["jti"], claims["decision_id"])]
            _holds(site, answer, "service-account:impersonate")
            assert site.is_active(token)
        assert _status(self.perform(site, item)) == (200, None)


@dataclass(frozen=True)
class Pair:
    access: str
    refresh: str


class Revocation:
    """Of the access token (with what was exchanged from it), or of the whole authorization."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def prepare(self, site: CrashSite) -> Pair:
        tokens = site.tokens()
        return Pair(tokens["access_token"], tokens["refresh_token"])

    def perform(self, site: CrashSite, item: Pair) -> Answer:
        token = item.access if self._kind == "access" else item.refresh
        return site.post("/oauth2/revoke", client_id=CLI, token=token)

    def settle(self, site: CrashSite, item: Pair, answer: Answer) -> None:
        self._is_whole(site, item, answer)
        assert _status(self.perform(site, item)) == (200, None)
        self._is_whole(site, item, answer or self.perform(site, item))
        assert not site.is_active(item.access)

    def _is_whole(self, site: CrashSite, item: Pair, answer: Answer) -> None:
        """It happened with its audit row, or not at all; if the client knows, it happened."""
        jti = claims_of(item.access)["jti"]
        [(grant_id, revoked_at)] = site.rows(
            "SELECT grant_id, revoked_at FROM tokens WHERE id = ?", jti
        )
        ended = [revoked_at is not None]
        ended.append(bool(self._audited(site, jti, grant_id)))
        if self._kind == "refresh":
            family = "SELECT ended_at FROM refresh_families WHERE grant_id = ?"
            ended.append(site.rows(family, grant_id) != [(None,)])
        assert len(set(ended)) == 1, ended
        if answer is not None:
            assert _status(answer) == (200, None)
            assert ended[0]

    def _audited(self, site: CrashSite, jti: str, grant_id: str) -> int:
        rows = site.rows(
            "SELECT id FROM audit_events WHERE event = 'token:revoke'"
            " AND (token_id = ? OR json_extract(detail, '$.grant_id') = ?)",
            jti,
            grant_id,
        )
        assert len(rows) <= 1
        return len(rows)
