"""Two more that read tokens: a resource server, which has the keys alone, and `id_token_hint`."""

from __future__ import annotations

import contextlib
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.verifier import TokenInvalid, Verifier
from tests.hostile.forge import RESOURCE_SERVER, Forge
from tests.hostile.loot import ISSUER
from tests.hostile.site import Site
from tests.hostile.vectors import algorithms, confusions, encodings, headers, signatures
from tests.support.observation import network
from tests.support.world import authorization_query, claims_of, redirect_parameters

ALGORITHMS = ("ES256", "RS256", "Ed25519")
#: What somebody can make who has no key of the issuer's.
FORGERIES = (*algorithms.CASES, *signatures.CASES, *encodings.CASES)


@pytest.fixture(scope="module")
def verifier(site: Site) -> Verifier:
    """An API's, by the kit; the issuer's documents come without a socket."""

    def fetch(url: str) -> bytes:
        return site.world.client.get(url.removeprefix(ISSUER)).get_data()

    return Verifier(ISSUER, ISSUER, fetch=fetch, clock=site.world.clock)


@pytest.fixture(scope="module")
def browser(site: Site) -> FlaskClient:
    browser = site.world.app.test_client()
    site.world.sign_in(browser, browser.get("/sign-in"))
    return browser


@pytest.fixture(scope="module")
def hints(site: Site) -> Forge:
    access, id_token = site.access, site.access.loot["id_token"]
    keys, kids = access.keys, access.kids
    return Forge("ID token", "JWT", keys, kids, lambda: claims_of(id_token), access.loot)


class TestAResourceServer:
    @pytest.mark.parametrize("alg", ALGORITHMS)
    def test_believes_a_sound_token(self, verifier: Verifier, site: Site, alg: str) -> None:
        assert _believed(verifier, site.access.token(alg))

    def test_believes_no_other(self, verifier: Verifier, site: Site) -> None:
        with network() as calls:
            fooled = [
                case.name
                for case in (*FORGERIES, *confusions.CASES)
                if case.only != "client assertion" and RESOURCE_SERVER not in case.not_at
                if _believed(verifier, case.build(site.access))
            ]

        assert fooled == []
        assert calls == []


def _believed(verifier: Verifier, token: bytes) -> bool:
    """As servers hand a header to Python: one character for each byte."""
    with contextlib.suppress(TokenInvalid):
        verifier.verify(token.decode("latin-1"))
        return True
    return False


class TestAnIdTokenHint:
    """A hint that is believed lets the signed-in user go on to the approval, which `prompt=none`
    forbids; any other is as good as nobody's (OpenID Connect Core section 3.1.2.1)."""

    @pytest.mark.parametrize("alg", ALGORITHMS)
    def test_is_believed_if_it_is_sound(self, browser: FlaskClient, hints: Forge, alg: str) -> None:
        assert _outcome(_silently(browser, hints.token(alg))) == "consent_required"

    def test_is_believed_in_no_other_case(
        self, browser: FlaskClient, hints: Forge, site: Site
    ) -> None:
        before = site.state()
        with network() as calls:
            outcomes = {
                case.name: _outcome(_silently(browser, case.build(hints)))
                for case in (*FORGERIES, *headers.CASES)
                if case.only is None and case.name != "token: empty"
            }

        allowed = ("login_required", "a page")
        assert {name: it for name, it in outcomes.items() if it not in allowed} == {}
        assert calls == []
        assert site.state() == before

    def test_an_access_token_is_none(self, browser: FlaskClient, site: Site) -> None:
        assert _outcome(_silently(browser, site.access.token())) == "login_required"


def _silently(browser: FlaskClient, hint: bytes) -> TestResponse:
    query = {**authorization_query(), "prompt": "none", "id_token_hint": hint}
    return browser.get("/oauth2/authorize?" + urlencode(query))


def _outcome(answer: TestResponse) -> str:
    """The error that the client hears of; or that a page says why the request cannot be read."""
    if answer.status_code == 400 and answer.mimetype == "text/html":
        return "a page"
    if answer.status_code != 303:
        return f"{answer.status_code} {answer.text[:100]}"
    return redirect_parameters(answer).get("error", "none")
