"""RFC 9068: what is in an access token, and how a resource server checks one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, jsonify
from joserfc import jws, jwt
from joserfc.jwk import KeySet

from app.services.administration import Conflict, Invalid
from app.tokens.checker import TokenChecker, TokenRejected
from app.tokens.claims import access_token_claims
from app.tokens.keyring import ALGORITHMS
from app.verifier import TokenInvalid, Verifier
from app.verifier.flask_guard import FlaskGuard
from tests.rfc import protocol
from tests.rfc.protocol import ISSUER, refresh, refused
from tests.support import changes
from tests.support.forgery import ATTACKERS_KEY, b64, forge
from tests.support.requirements import rfc
from tests.support.world import RING, START, VSERVER, World, allow, build_world, claims_of
from tests.verifier import local_issuer
from tests.verifier.local_issuer import AUDIENCE, NOW, URL, Clock, Issuer, sign


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    for world in protocol.shared_world(tmp_path_factory):
        changes.give(world, allow("vserver:*"))
        yield world


@pytest.fixture(scope="module")
def tokens(shared: World) -> dict[str, str]:
    """One of each kind."""
    person = protocol.tokens(shared)
    held = shared.impersonate(person["access_token"]).json["access_token"]
    return {
        "code": person["access_token"],
        "refreshed": refresh(shared, person["refresh_token"]).json["access_token"],
        "machine": shared.machine_token().json["access_token"],
        "impersonation": held,
        "narrowed": shared.exchange(held).json["access_token"],
    }


def header_of(token: str) -> dict[str, Any]:
    return dict(jws.extract_compact(token.encode()).headers())


# ------------------------------------------------------------------------------------- 2.1 Header


@rfc("9068", "2.1", "MUST", "signed")
@rfc("9068", "2.1", "RECOMMENDED", "asymmetric")
@rfc("9068", "2.1", "MUST", "typ")
def test_tokens_are_signed_by_published_keys(shared: World, tokens: dict[str, str]) -> None:
    keys = KeySet.import_key_set(shared.client.get("/oauth2/jwks").json)

    for name, token in tokens.items():
        header = jwt.decode(token, keys, algorithms=["ES256"]).header
        assert header == {"alg": "ES256", "typ": "at+jwt", "kid": RING.signer("ES256").kid}, name


@rfc("9068", "2.1", "MUST NOT", "not by none")
@pytest.mark.parametrize("alg", ["none", "None", "NONE", ""])
def test_none_is_no_algorithm(tokens: dict[str, str], alg: str) -> None:
    assert alg not in ALGORITHMS
    claims = b64(claims_of(tokens["machine"]))
    for header in (header_of(tokens["machine"]), {"typ": "at+jwt"}):
        unsigned = f"{b64({**header, 'alg': alg})}.{claims}."
        with pytest.raises(TokenRejected):
            TokenChecker(lambda: RING, ISSUER).check_access_token(unsigned, START)
        with pytest.raises(TokenInvalid):
            Verifier(URL, AUDIENCE, fetch=Issuer().fetch).verify(unsigned)


@rfc("9068", "2.1", "MUST", "RS256")
def test_rs256_is_supported(tmp_path: Path) -> None:
    world = build_world(tmp_path, signing_algorithm="RS256")

    token = world.machine_token().json["access_token"]

    assert header_of(token)["alg"] == "RS256"
    assert protocol.introspect(world, token)["active"] is True
    world.close()
    rsa = local_issuer.signing_key("RS256")
    verifier = Verifier(URL, AUDIENCE, fetch=Issuer(rsa).fetch, clock=Clock())
    assert verifier.verify(sign(local_issuer.claims(), rsa)).subject == "sa-1f2e"


# ------------------------------------------------------------------------------------- 2.2 Claims


@rfc("9068", "2.2", "REQUIRED", "claims")
@pytest.mark.parametrize("claim", ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"])
def test_the_required_claims(tokens: dict[str, str], claim: str) -> None:
    for name, token in tokens.items():
        assert claims_of(token)[claim], name
    assert len({claims_of(token)["jti"] for token in tokens.values()}) == len(tokens)


@rfc("9068", "2.2", "SHOULD", "sub of a person")
@rfc("9068", "2.2", "SHOULD", "sub of a machine")
def test_the_subject(shared: World, tokens: dict[str, str]) -> None:
    assert claims_of(tokens["code"])["sub"] == shared.user_id
    machine = claims_of(tokens["machine"])
    assert machine["sub"] == shared.service_account_id
    assert machine["client_id"] == shared.client_id


@rfc("9068", "2.2.1", "plain", "authentication of the person")
def test_authentication_is_that_of_the_sign_in(world: World) -> None:
    first = protocol.tokens(world)
    world.clock.advance(600)
    later = refresh(world, first["refresh_token"]).json["access_token"]

    for token in (first["access_token"], later):
        assert (claims_of(token)["auth_time"], claims_of(token)["amr"]) == (START, ["pwd"])
    machine = claims_of(world.machine_token().json["access_token"])
    assert not {"auth_time", "amr", "acr"} & machine.keys()


@rfc("9068", "2.2.2", "SHOULD", "registered names")
def test_claims_have_their_registered_names(tokens: dict[str, str]) -> None:
    """What is not registered is our own, and nothing can put another meaning to a name."""
    registered = {"iss", "sub", "aud", "client_id", "scope", "act", "iat", "exp", "jti"}
    registered |= {"auth_time", "amr"}
    own = {"account_id", "user_type", "decision_id", "evaluate"}

    for token in tokens.values():
        assert claims_of(token).keys() <= registered | own
    with pytest.raises(ValueError, match="extra claims can't set groups"):
        access_token_claims(**_claims(extra={"groups": ["x"]}))


def _claims(**changed: Any) -> dict[str, Any]:
    return {
        "issuer": ISSUER,
        "subject": "x",
        "audience": [ISSUER],
        "client_id": "x",
        "account_id": "1",
        "user_type": "iam-user",
        "issued_at": 1,
        "expires_at": 2,
        "token_id": "x",
        "scope": None,
        "evaluate": False,
        "actor": None,
        "decision_id": None,
        "auth_time": None,
        "amr": None,
        **changed,
    }


@rfc("9068", "2.2.3", "SHOULD", "scope")
def test_a_request_with_scope_leads_to_a_token_with_scope(shared: World) -> None:
    token = shared.machine_token(scope="vserver:List*").json["access_token"]

    assert claims_of(token)["scope"] == "vserver:List*"


@rfc("9068", "2.2.3", "MUST", "scope fits the audience")
def test_identity_scopes_are_in_tokens_for_the_issuer_alone(shared: World) -> None:
    """An API has no use for openid; the client is told all that was agreed to."""
    asked = "openid profile vserver:List*"

    for_issuer = protocol.tokens(shared, scope="openid profile")["access_token"]
    for_api = protocol.tokens(shared, scope=asked, resources=(VSERVER,))
    refreshed = refresh(shared, for_api["refresh_token"]).json

    assert claims_of(for_issuer)["scope"] == "openid profile"
    for answer in (for_api, refreshed):
        assert claims_of(answer["access_token"])["scope"] == "vserver:List*"
        assert answer["scope"] == asked
    assert claims_of(for_api["id_token"])["preferred_username"] == "System1"


# ----------------------------------------------------------------------------------- 3 Requesting


@rfc("9068", "3", "SHOULD", "resource becomes aud")
def test_the_resource_is_the_audience(shared: World) -> None:
    assert claims_of(shared.machine_token(resource=VSERVER).json["access_token"])["aud"] == [
        VSERVER
    ]
    person = protocol.tokens(shared, resources=(VSERVER,))["access_token"]
    assert claims_of(person)["aud"] == [VSERVER]


@rfc("9068", "3", "MUST", "default audience")
@rfc("9068", "3", "SHOULD", "audience from the scope")
def test_without_a_resource_there_is_a_default(shared: World, tokens: dict[str, str]) -> None:
    """The issuer for a person; for a machine the products of its scope."""
    assert claims_of(tokens["code"])["aud"] == [ISSUER]
    assert claims_of(tokens["machine"])["aud"] == [VSERVER]
    nothing = changes.new_service_account(shared, "Nothing")
    answer = shared.token_call(
        {"grant_type": "client_credentials"}, auth=(nothing.client_id, nothing.client_secret)
    )
    assert claims_of(answer.json["access_token"])["aud"] == [ISSUER]


@rfc("9068", "3", "SHOULD", "scopes of different resources")
@rfc("9068", "3", "MUST NOT", "nothing ambiguous")
def test_scopes_of_several_products(world: World) -> None:
    """Each pattern names its product; the issuer never shares a token with another."""
    changes.new_product(world, "network")
    for name in ("network", "iam"):
        account = world.service_account_id
        changes.give(world, allow(f"{name}:*"), f"all-{name}", service_account=account)

    both = world.machine_token(scope="vserver:List* network:List*").json

    claims = claims_of(both["access_token"])
    assert set(claims["aud"]) == {VSERVER, "https://network.example"}
    assert claims["scope"] == "network:List* vserver:List*"
    refused(world.machine_token(scope="iam:List* vserver:List*"), "invalid_scope")
    refused(world.machine_token(resource=["iam", VSERVER]), "invalid_target")  # type: ignore[arg-type]


# ----------------------------------------------------------------------------------- 4 Validating


@rfc("9068", "4", "SHOULD", "metadata")
@rfc("9068", "4", "MUST", "both documents agree")
def test_keys_and_issuer_are_found_by_metadata(shared: World, tokens: dict[str, str]) -> None:
    openid = shared.client.get("/.well-known/openid-configuration")
    oauth = shared.client.get("/.well-known/oauth-authorization-server")
    assert openid.json == oauth.json

    def fetch(url: str) -> bytes:
        return shared.client.get(url.removeprefix(ISSUER)).data

    verifier = Verifier(ISSUER, VSERVER, fetch=fetch, clock=shared.clock)
    assert verifier.verify(tokens["machine"]).subject == shared.service_account_id


def wrong_tokens() -> dict[str, str]:
    """Tokens that a resource server has to refuse, by the check that they fail."""
    claims, own = local_issuer.claims, local_issuer.signing_key()
    return {
        "typ JWT": sign(claims(), header={"typ": "JWT"}),
        "typ missing": sign(claims(), header={"typ": None}),
        "iss": sign(claims(iss=URL + "/")),
        "aud": sign(claims(aud=["https://other.example"])),
        "aud in part": sign(claims(aud=[AUDIENCE + "/x"])),
        "key": sign(claims(), local_issuer.signing_key("ES256", "another")),
        "signature": sign(claims())[:-8] + "AAAAAAAA",
        "exp": sign(claims(iat=NOW - 7200, exp=NOW - 3600), own),
    }


@rfc("9068", "4", "MUST", "typ is checked")
@rfc("9068", "4", "MUST", "iss is checked")
@rfc("9068", "4", "MUST", "aud is checked")
@rfc("9068", "4", "MUST", "signature is checked")
@rfc("9068", "4", "MUST", "exp is checked")
@rfc("9068", "4", "MUST", "invalid_token")
@pytest.mark.parametrize("what", sorted(wrong_tokens()))
def test_the_verifier_refuses(what: str) -> None:
    app = Flask(__name__)
    guard = FlaskGuard(Verifier(URL, AUDIENCE, fetch=Issuer().fetch, clock=Clock()))
    app.add_url_rule(
        "/", view_func=guard.requires("vserver:ListServers")(lambda token: jsonify(token.subject))
    )

    def asked(token: str) -> Any:
        return app.test_client().get("/", headers={"Authorization": f"Bearer {token}"})

    assert asked(sign(local_issuer.claims())).status_code == 200
    assert (
        asked(sign(local_issuer.claims(), header={"typ": "application/at+jwt"})).status_code == 200
    )
    answer = asked(wrong_tokens()[what])
    refused(answer, "invalid_token", 401)
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@rfc("9068", "4", "MUST", "typ is checked")
@rfc("9068", "4", "MUST", "iss is checked")
@rfc("9068", "4", "MUST", "aud is checked")
@rfc("9068", "4", "MUST", "signature is checked")
@rfc("9068", "4", "MUST", "exp is checked")
@rfc("9068", "4", "MUST", "invalid_token")
def test_userinfo_refuses(shared: World, tokens: dict[str, str]) -> None:
    """Each signed by the server's own key, save one, with the id of a live token."""
    claims = claims_of(tokens["code"])
    assert protocol.userinfo(shared, forge(claims)).status_code == 200

    for wrong in (
        forge(claims, {"typ": "JWT"}),
        forge({**claims, "iss": ISSUER + "/"}),
        forge(claims, key=ATTACKERS_KEY),
        forge({**claims, "exp": int(shared.clock.now) - 60}),
        tokens["machine"],
    ):
        answer = protocol.userinfo(shared, wrong)
        refused(answer, "invalid_token", 401)
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


# ----------------------------------------------------------------------- 5 Security and 6 Privacy


@rfc("9068", "5", "MUST", "distinct audiences")
def test_no_two_products_share_an_identifier(shared: World) -> None:
    with pytest.raises(Conflict):
        changes.new_product(shared, "twin", VSERVER)
    for own in (ISSUER, ISSUER + "/"):
        with pytest.raises(Invalid):
            changes.new_product(shared, "issuer", own)


@rfc("9068", "5", "plain", "clients cannot choose sub")
def test_the_subject_of_a_machine_is_no_persons(shared: World, tokens: dict[str, str]) -> None:
    asked = shared.machine_token(sub=shared.user_id, client_id=shared.client_id)

    claims = claims_of(asked.json["access_token"])
    assert claims["sub"] == shared.service_account_id
    assert claims["sub"].startswith("sa-")
    assert claims["user_type"] == "service-account"
    assert claims_of(tokens["code"])["user_type"] == "iam-user"


@rfc("9068", "6", "plain", "privacy")
def test_a_persons_token_has_no_more_than_an_id(shared: World, tokens: dict[str, str]) -> None:
    person = protocol.tokens(shared, scope="openid profile email")["access_token"]

    assert claims_of(person).keys() - {"evaluate"} == {
        *("iss", "sub", "aud", "client_id", "account_id", "user_type", "scope"),
        *("auth_time", "amr", "iat", "exp", "jti"),
    }
    for told in ("System1", "root-a@example.com"):
        assert told not in str(claims_of(person))
