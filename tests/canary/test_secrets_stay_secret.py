"""Nothing that was told in confidence is found where it was not meant to be.

Two things are kept as they came. `nonce`, with its code: it has to be in the ID
token, letter by letter (OpenID Connect Core section 3.1.3.6), and proves nothing by itself. An
external id in the condition of a trusted relationship: its owner wrote it there, and reads it
there; the one that a caller sends is compared with it and forgotten. `state` is the client's
alone: it travels through the pages and is not kept.
"""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
import requests

from tests.canary.aftermath import Aftermath
from tests.canary.secrets_kept import Canaries, marked

#: An external id that an owner wrote into a condition is its own text: a decision shows the owner
#: the relationship as it was then.
KEPT_AS_IT_CAME = {
    ("nonce", "authorization_codes"),
    ("external id", "trusted_relationships"),
    ("external id", "trust_versions"),
}
KINDS_KEPT = {kind for kind, _ in KEPT_AS_IT_CAME}
#: A page shows a person what was typed (never the password), and carries its own form token.
IN_A_PAGE = {"form token", "password as email", "password as username"}
#: SQLAlchemy at its loudest shows rows as they are in the store, and no value that goes there.
ROW = b" DEBUG Row ("


class TestTheFinder:
    @pytest.mark.parametrize(
        "spelling",
        [
            lambda secret: secret.encode(),
            lambda secret: quote(secret, safe="").encode(),
            lambda secret: secret.encode().hex().encode(),
            lambda secret: base64.b64encode(secret.encode()),
            lambda secret: base64.b64encode(f"an-id:{secret}".encode()),
            lambda secret: base64.urlsafe_b64encode(f"{secret}:more".encode()),
            lambda secret: base64.b64encode(f"xy{secret}z".encode()),
            lambda secret: f'{{"password": "{secret}"}}'.encode(),
        ],
    )
    def test_finds_a_secret_in_any_spelling(self, spelling: object) -> None:
        canaries = Canaries()
        secret = canaries.new("a secret")
        assert callable(spelling)

        assert canaries.found_in(b"... " + spelling(secret) + b" ...") == ["a secret"]
        assert canaries.found_in(b"... " + spelling(marked("a-secret")) + b" ...") == []

    def test_finds_the_claims_of_a_token(self) -> None:
        canaries = Canaries()
        token = canaries.keep("token", ".".join(marked(part) for part in ("h", "p", "s")))

        assert canaries.found_in(token.split(".")[1].encode()) == ["token"]


class TestThePlay:
    def test_gives_away_many_kinds_of_secret(self, aftermath: Aftermath) -> None:
        assert len(aftermath.canaries.values) >= 80

    def test_meets_refusals_of_every_kind(self, aftermath: Aftermath) -> None:
        seen = {answer.status_code for answer in aftermath.refusals}

        assert {303, 400, 401, 403, 404, 405, 503} <= seen
        assert len(aftermath.refusals) > 200

    def test_is_logged_at_the_loudest(self, aftermath: Aftermath) -> None:
        for evidence in (
            b'"POST /oauth2/token" 200',
            b'"GET /oauth2/userinfo" 401',
            b" DEBUG ",
            b"INSERT INTO sign_in_sessions",
            b"SQL parameters hidden",
            ROW,
        ):
            assert evidence in aftermath.log, evidence


class TestWhatIsLeftBehind:
    def test_in_the_files_of_the_store(self, aftermath: Aftermath) -> None:
        """The write-ahead log too, while the server runs and when it has stopped."""
        assert {"crossroot.db, served", "crossroot.db-wal, served"} <= aftermath.files.keys()
        for name, content in aftermath.files.items():
            found = set(aftermath.canaries.found_in(content))
            assert found <= KINDS_KEPT, name

    def test_in_the_tables(self, aftermath: Aftermath) -> None:
        found = {
            (kind, table)
            for table, content in aftermath.tables.items()
            for kind in aftermath.canaries.found_in(content)
        }

        assert found == KEPT_AS_IT_CAME

    def test_in_the_audit_log(self, aftermath: Aftermath) -> None:
        """Who, what, whether: contract, section 9."""
        assert len(aftermath.tables["audit_events"]) > 10_000
        assert aftermath.canaries.found_in(aftermath.tables["audit_events"]) == []

    def test_in_the_logs(self, aftermath: Aftermath) -> None:
        lines = aftermath.log.splitlines()
        rows = b"\n".join(line for line in lines if ROW in line)
        others = b"\n".join(line for line in lines if ROW not in line)

        assert aftermath.canaries.found_in(others) == []
        assert set(aftermath.canaries.found_in(rows)) <= KINDS_KEPT


class TestWhatIsAnswered:
    def test_in_errors_for_programs(self, aftermath: Aftermath) -> None:
        answers = [each for each in aftermath.refusals if _is_json(each)]
        assert len(answers) > 150

        assert _told(aftermath, answers) == set()

    def test_in_errors_for_people(self, aftermath: Aftermath) -> None:
        answers = [each for each in aftermath.refusals if each.status_code >= 400]
        pages = [each for each in answers if not _is_json(each)]
        assert len(pages) > 10

        assert _told(aftermath, pages) <= IN_A_PAGE

    def test_in_redirects_that_bring_an_error(self, aftermath: Aftermath) -> None:
        """The client's own `state` comes back (RFC 6749 section 4.1.2.1), and nothing else."""
        redirects = [each for each in aftermath.refusals if each.status_code == 303]
        assert len(redirects) >= 3

        told = {
            kind
            for answer in redirects
            for kind in aftermath.canaries.found_in(answer.headers["Location"].encode())
        }
        assert told == {"state"}


def _is_json(answer: requests.Response) -> bool:
    return answer.headers.get("Content-Type") == "application/json"


def _told(aftermath: Aftermath, answers: list[requests.Response]) -> set[str]:
    """What the bodies and the headers of the answers tell; cookies are the browser's own."""
    found = set()
    for answer in answers:
        headers = [f"{n}: {v}" for n, v in answer.headers.items() if n.lower() != "set-cookie"]
        found.update(aftermath.canaries.found_in("\n".join(headers).encode() + answer.content))
    return found
