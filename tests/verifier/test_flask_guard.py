"""What a guarded view answers (RFC 6750 section 3)."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from werkzeug.test import TestResponse

from app.verifier import AccessClient, VerifiedToken, Verifier
from app.verifier.flask_guard import FlaskGuard, current_token
from tests.verifier.decision_point import CLIENT_ID, CLIENT_SECRET, DecisionPoint
from tests.verifier.local_issuer import AUDIENCE, URL, Clock, Issuer, token

VIEW = "/servers/srv-1/stop"


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def client(issuer: Issuer) -> FlaskClient:
    app = Flask("guarded")
    guard = FlaskGuard(Verifier(URL, AUDIENCE, fetch=issuer.fetch, clock=Clock()))

    @app.route("/servers/<server_id>/stop", methods=["GET", "POST"])
    @guard.requires("vserver:StopServer")
    def stop(token: VerifiedToken, server_id: str) -> ResponseReturnValue:
        return {"subject": token.subject, "same": current_token() is token, "server": server_id}

    @app.get("/open")
    def unguarded() -> ResponseReturnValue:
        return {"subject": current_token().subject}

    return app.test_client()


def post(client: FlaskClient, authorization: str | None) -> TestResponse:
    headers = {} if authorization is None else {"Authorization": authorization}
    return client.post(VIEW, headers=headers)


def challenge(error: str, description: str, more: str = "") -> str:
    return f'Bearer error="{error}", error_description="{description}"{more}'


def test_the_view_gets_the_token_and_its_own_arguments(client: FlaskClient) -> None:
    response = post(client, f"Bearer {token()}")
    assert response.status_code == 200
    assert response.json == {"subject": "sa-1f2e", "same": True, "server": "srv-1"}


@pytest.mark.parametrize("scheme", ["bearer ", "BEARER ", "Bearer   "])
def test_the_scheme_is_read_in_any_case(client: FlaskClient, scheme: str) -> None:
    assert post(client, scheme + token()).status_code == 200


@pytest.mark.parametrize(
    "authorization", [None, "", " ", "Basic c2E6c2VjcmV0", "DPoP abc", "Bearerabc", "Bearer\tabc"]
)
def test_without_a_bearer_token_there_is_no_error_code(
    client: FlaskClient, authorization: str | None
) -> None:
    response = post(client, authorization)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json == {
        "error": "unauthorized",
        "error_description": "Send an access token in the header: Authorization: Bearer <token>.",
    }


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Bearer a,Bearer b",
        "Bearer a, Bearer b",
        'Bearer "a"',
        "Bearer a;b",
        "Bearer =a",
        "Bearer é",
        "Bearer a\tb",
    ],
)
def test_a_malformed_header_is_a_bad_request(client: FlaskClient, authorization: str) -> None:
    response = post(client, authorization)
    description = "The Authorization header is malformed."
    assert response.status_code == 400
    assert response.headers["WWW-Authenticate"] == challenge("invalid_request", description)
    assert response.json == {"error": "invalid_request", "error_description": description}


def test_two_headers_are_a_bad_request(client: FlaskClient) -> None:
    value = f"Bearer {token()}"
    response = client.post(VIEW, headers=[("Authorization", value), ("Authorization", value)])
    assert response.status_code == 400


@pytest.mark.parametrize("text", ["opaque", "a.b.c", "a" * 20_000])
def test_a_token_that_proves_nothing_is_invalid(client: FlaskClient, text: str) -> None:
    response = post(client, f"Bearer {text}")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token", ')
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json is not None
    assert response.json["error"] == "invalid_token"


def test_the_reason_is_told(client: FlaskClient) -> None:
    response = post(client, f"Bearer {token(aud=['https://other.example'])}")
    description = "The token is not for this API."
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == challenge("invalid_token", description)
    assert response.json == {"error": "invalid_token", "error_description": description}


@pytest.mark.parametrize("scope", [None, "vserver:List*", "iam:*", "openid"])
def test_a_missing_right_is_named(client: FlaskClient, scope: str | None) -> None:
    response = post(client, f"Bearer {token(scope=scope, evaluate=True)}")
    description = "The token does not allow vserver:StopServer."
    assert response.status_code == 403
    assert response.headers["WWW-Authenticate"] == challenge(
        "insufficient_scope", description, ', scope="vserver:StopServer"'
    )
    assert response.json == {"error": "insufficient_scope", "error_description": description}


def test_a_token_in_the_query_string_or_a_form_is_not_read(client: FlaskClient) -> None:
    text = token()
    for response in (
        client.get(VIEW, query_string={"access_token": text}),
        client.post(VIEW, data={"access_token": text}),
        client.post(VIEW, json={"access_token": text}),
        client.get(VIEW, headers={"Cookie": f"access_token={text}"}),
    ):
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_good_header_is_not_disturbed_by_a_token_elsewhere(client: FlaskClient) -> None:
    response = client.get(
        VIEW, query_string={"access_token": "x"}, headers={"Authorization": f"Bearer {token()}"}
    )
    assert response.status_code == 200


def test_an_issuer_out_of_reach_is_not_the_callers_fault(
    client: FlaskClient, issuer: Issuer
) -> None:
    issuer.down = True
    response = post(client, f"Bearer {token()}")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert "WWW-Authenticate" not in response.headers
    assert response.json == {
        "error": "temporarily_unavailable",
        "error_description": "The issuer's signing keys cannot be read at the moment.",
    }


@pytest.mark.parametrize(
    "action", ["", "vserver:*", "*", "StopServer", "vserver:", "a:b:c", "a:B "]
)
def test_a_view_is_one_action(action: str) -> None:
    guard = FlaskGuard(Verifier(URL, AUDIENCE))
    with pytest.raises(ValueError, match="is no action"):
        guard.requires(action)


def test_an_unguarded_view_has_no_token(client: FlaskClient) -> None:
    client.application.testing = True
    with pytest.raises(LookupError, match="No guard"):
        client.get("/open", headers={"Authorization": f"Bearer {token()}"})


# With access evaluation


@pytest.fixture
def point() -> DecisionPoint:
    return DecisionPoint()


@pytest.fixture
def asking(issuer: Issuer, point: DecisionPoint) -> FlaskClient:
    app = Flask("asking")
    access = AccessClient(
        URL, CLIENT_ID, CLIENT_SECRET, fetch=point.fetch, post=point.post, clock=Clock(100.0)
    )
    guard = FlaskGuard(Verifier(URL, AUDIENCE, fetch=issuer.fetch, clock=Clock()), access)

    def server(token: VerifiedToken, server_id: str) -> str:
        return f"vserver::{token.account_id}:server/{server_id}"

    @app.post("/servers/<server_id>/stop")
    @guard.requires("vserver:StopServer", resource=server)
    def stop(token: VerifiedToken, server_id: str) -> ResponseReturnValue:
        return {"same": current_token() is token, "server": server_id}

    @app.post("/servers/<server_id>/start")
    @guard.requires("vserver:StartServer")
    def start(token: VerifiedToken, server_id: str) -> ResponseReturnValue:
        return {"server": server_id}

    return app.test_client()


def test_the_issuer_is_asked_about_the_views_resource(
    asking: FlaskClient, point: DecisionPoint
) -> None:
    response = post(asking, f"Bearer {token(scope=None, evaluate=True)}")

    assert response.status_code == 200
    assert response.json == {"same": True, "server": "srv-1"}
    _, asked = point.requests[0]
    assert asked["action"] == {"name": "vserver:StopServer"}
    assert asked["resource"] == {"type": "server", "id": "vserver::60108:server/srv-1"}
    assert asked["context"] == {"iam:SourceIp": "127.0.0.1"}


def test_what_the_issuer_refuses_is_refused_whatever_the_scope_says(
    asking: FlaskClient, point: DecisionPoint
) -> None:
    point.decide = lambda _: False
    response = post(asking, f"Bearer {token(scope='vserver:*')}")

    description = "The token does not allow vserver:StopServer."
    assert response.status_code == 403
    assert response.headers["WWW-Authenticate"] == challenge(
        "insufficient_scope", description, ', scope="vserver:StopServer"'
    )


def test_an_issuer_that_cannot_be_asked_allows_nothing(
    asking: FlaskClient, point: DecisionPoint
) -> None:
    point.down = True
    response = post(asking, f"Bearer {token()}")

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json == {
        "error": "temporarily_unavailable",
        "error_description": "What this token may be used for cannot be asked at the moment.",
    }


def test_a_token_that_proves_nothing_is_not_asked_about(
    asking: FlaskClient, point: DecisionPoint
) -> None:
    assert post(asking, "Bearer a.b.c").status_code == 401
    assert post(asking, None).status_code == 401
    assert point.requests == []


def test_a_view_without_a_resource_reads_the_scope(
    asking: FlaskClient, point: DecisionPoint
) -> None:
    headers = {"Authorization": f"Bearer {token(scope='vserver:Start*')}"}
    assert asking.post("/servers/srv-1/start", headers=headers).status_code == 200
    assert point.requests == []


def test_a_resource_needs_somebody_to_ask() -> None:
    guard = FlaskGuard(Verifier(URL, AUDIENCE))

    with pytest.raises(ValueError, match="pass `access`"):
        guard.requires("vserver:StopServer", resource=lambda token: "")
