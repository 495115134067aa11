"""The sample vServer: who gets in, what they see, and that the answers name who acted."""

from __future__ import annotations

import hmac
import json
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from servers import Server, ServerRoom, demo_servers
from vserver_app import create_app
from vserver_settings import Settings, SettingsError
from werkzeug.test import TestResponse

from app.verifier import AccessClient, Verifier
from app.verifier.token import matches
from tests.verifier.decision_point import CLIENT_ID, CLIENT_SECRET, DecisionPoint
from tests.verifier.local_issuer import (
    AUDIENCE,
    NOW,
    URL,
    Clock,
    Issuer,
    assemble,
    claims,
    sign,
    sign_raw,
    signing_key,
    token,
)

ROOT = Path(__file__).parents[2]
SETTINGS = Settings(CLIENT_ID, CLIENT_SECRET)
ROUTES = [
    ("GET", "/v1/servers", "vserver:ListServers"),
    ("GET", "/v1/servers/srv-web-1", "vserver:GetServer"),
    ("POST", "/v1/servers/srv-web-1/stop", "vserver:StopServer"),
    ("POST", "/v1/servers/srv-web-1/start", "vserver:StartServer"),
    ("DELETE", "/v1/servers/srv-web-1", "vserver:DeleteServer"),
]
SYSTEM1 = {
    "subject": "user-1",
    "accountId": "53461",
    "userType": "iam-user",
    "username": "System1",
    "name": "on-call",
}


@pytest.fixture
def point() -> DecisionPoint:
    """One that allows all that it is asked."""
    return DecisionPoint()


@pytest.fixture
def app(point: DecisionPoint) -> Flask:
    room = ServerRoom([*demo_servers("60108"), Server("srv-a-1", "a-1", "53461")])
    verifier = Verifier(URL, AUDIENCE, fetch=Issuer().fetch, clock=Clock())
    access = AccessClient(
        URL, CLIENT_ID, CLIENT_SECRET, fetch=point.fetch, post=point.post, clock=Clock()
    )
    return create_app(SETTINGS, verifier=verifier, access=access, room=room, clock=Clock())


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def call(client: FlaskClient, method: str, path: str, text: str | None = None) -> TestResponse:
    headers = {"Authorization": f"Bearer {token() if text is None else text}"}
    return client.open(path, method=method, headers=headers)


def body(response: TestResponse) -> Any:
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    return response.json


def test_the_account_sees_its_servers_only(client: FlaskClient) -> None:
    response = call(client, "GET", "/v1/servers")
    assert response.status_code == 200
    assert body(response) == {
        "servers": [
            {
                "id": "srv-web-1",
                "vrn": "vserver::60108:server/srv-web-1",
                "name": "web-1",
                "status": "running",
                "accountId": "60108",
                "lastAction": None,
            },
            {
                "id": "srv-db-1",
                "vrn": "vserver::60108:server/srv-db-1",
                "name": "db-1",
                "status": "running",
                "accountId": "60108",
                "lastAction": None,
            },
        ]
    }
    other = call(client, "GET", "/v1/servers", token(account_id="53461"))
    assert [each["id"] for each in body(other)["servers"]] == ["srv-a-1"]
    nobody = call(client, "GET", "/v1/servers", token(account_id="7"))
    assert body(nobody) == {"servers": []}


def test_system1_stops_a_server_through_the_service_account(client: FlaskClient) -> None:
    response = call(client, "POST", "/v1/servers/srv-web-1/stop")
    assert response.status_code == 200
    stopped = body(response)
    assert stopped["status"] == "stopped"
    assert stopped["lastAction"] == {
        "action": "vserver:StopServer",
        "at": "2027-01-15T08:00:00+00:00",
        "subject": "sa-1f2e",
        "subjectType": "service-account",
        "clientId": "crossroot-cli",
        "actor": SYSTEM1,
        "decisionId": "decision-1",
    }
    assert body(call(client, "GET", "/v1/servers/srv-web-1")) == stopped
    assert body(call(client, "GET", "/v1/servers/srv-db-1"))["status"] == "running"


def test_a_service_account_acts_by_itself(client: FlaskClient) -> None:
    response = call(client, "POST", "/v1/servers/srv-db-1/stop", token(act=None, decision_id=None))
    action = body(response)["lastAction"]
    assert action["subject"] == "sa-1f2e"
    assert action["actor"] is None
    assert action["decisionId"] is None


@pytest.mark.parametrize(("verb", "status"), [("stop", "stopped"), ("start", "running")])
def test_stop_and_start_can_be_repeated(client: FlaskClient, verb: str, status: str) -> None:
    for _ in range(2):
        response = call(client, "POST", f"/v1/servers/srv-web-1/{verb}")
        assert response.status_code == 200
        assert body(response)["status"] == status


@pytest.mark.parametrize(("method", "path", "action"), ROUTES)
def test_each_request_is_asked_about(
    client: FlaskClient, point: DecisionPoint, method: str, path: str, action: str
) -> None:
    assert call(client, method, path).status_code == 200

    [(_, asked)] = point.requests
    name = "*" if path == "/v1/servers" else "srv-web-1"
    assert asked == {
        "subject": {
            "type": "service-account",
            "id": "sa-1f2e",
            "properties": {"jti": "token-1"},
        },
        "action": {"name": action},
        "resource": {"type": "server", "id": f"vserver::60108:server/{name}"},
        "context": {"iam:SourceIp": "127.0.0.1"},
    }


@pytest.mark.parametrize(("method", "path", "_action"), ROUTES)
def test_a_token_that_was_revoked_gets_nowhere(
    client: FlaskClient, point: DecisionPoint, method: str, path: str, _action: str
) -> None:
    point.decide = lambda _: False
    assert call(client, method, path).status_code == 403


@pytest.mark.parametrize(("method", "path", "_action"), ROUTES)
def test_nothing_is_done_while_nobody_can_be_asked(
    client: FlaskClient, point: DecisionPoint, method: str, path: str, _action: str
) -> None:
    point.down = True
    response = call(client, method, path)

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert body(response)["error"] == "temporarily_unavailable"


def test_a_right_to_one_server(client: FlaskClient, point: DecisionPoint) -> None:
    point.decide = lambda asked: asked["resource"]["id"] == "vserver::60108:server/srv-db-1"
    narrow = token(scope=None, evaluate=True)

    assert call(client, "POST", "/v1/servers/srv-db-1/stop", narrow).status_code == 200
    assert call(client, "POST", "/v1/servers/srv-web-1/stop", narrow).status_code == 403
    assert call(client, "GET", "/v1/servers", narrow).status_code == 403
    foreign = call(client, "POST", "/v1/servers/srv-a-1/stop", narrow)
    missing = call(client, "POST", "/v1/servers/srv-none/stop", narrow)
    assert foreign.status_code == missing.status_code == 403
    assert body(foreign) == body(missing)


def test_a_deleted_server_is_gone(client: FlaskClient) -> None:
    response = call(client, "DELETE", "/v1/servers/srv-web-1")
    assert response.status_code == 200
    assert body(response)["status"] == "deleted"
    assert body(response)["lastAction"]["actor"] == SYSTEM1
    assert call(client, "DELETE", "/v1/servers/srv-web-1").status_code == 404
    assert call(client, "GET", "/v1/servers/srv-web-1").status_code == 404
    remaining = body(call(client, "GET", "/v1/servers"))["servers"]
    assert [each["id"] for each in remaining] == ["srv-db-1"]


@pytest.mark.parametrize(("method", "path", "_action"), ROUTES[1:])
def test_a_server_of_another_account_is_one_that_never_was(
    client: FlaskClient, app: Flask, method: str, path: str, _action: str
) -> None:
    foreign = call(client, method, path.replace("srv-web-1", "srv-a-1"))
    missing = call(client, method, path.replace("srv-web-1", "srv-none"))
    assert foreign.status_code == missing.status_code == 404
    assert body(foreign) == body(missing)
    assert dict(foreign.headers) == dict(missing.headers)
    own = call(client, "GET", "/v1/servers/srv-a-1", token(account_id="53461"))
    assert body(own)["lastAction"] is None


@pytest.mark.parametrize(("method", "path", "action"), ROUTES)
def test_each_route_needs_its_own_action(
    client: FlaskClient, method: str, path: str, action: str
) -> None:
    others = " ".join(other for _, _, other in ROUTES if other != action)
    refused = call(client, method, path, token(scope=others))
    assert refused.status_code == 403
    assert f'scope="{action}"' in refused.headers["WWW-Authenticate"]
    assert call(client, method, path, token(scope=action)).status_code == 200


@pytest.mark.parametrize(("method", "path", "_action"), ROUTES[1:])
def test_the_right_is_asked_for_before_the_server_is_looked_up(
    client: FlaskClient, method: str, path: str, _action: str
) -> None:
    for server_id in ("srv-web-1", "srv-a-1", "srv-none"):
        target = path.replace("srv-web-1", server_id)
        assert client.open(target, method=method).status_code == 401
        assert call(client, method, target, "a.b.c").status_code == 401
        assert call(client, method, target, token(scope="vserver:List*")).status_code == 403


def _hs256_with_the_public_key() -> str:
    secret = signing_key().as_pem(private=False)
    header = {"alg": "HS256", "typ": "at+jwt", "kid": "ES256"}
    signer = partial(hmac.digest, secret, digest="sha256")
    return assemble(header, json.dumps(claims()).encode(), signer)


def _with_header(**parameters: Any) -> str:
    header = {"alg": "ES256", "typ": "at+jwt", "kid": "ES256", **parameters}
    return sign_raw(signing_key("ES256", "own"), json.dumps(claims()).encode(), header)


ATTACKS = {
    "none": assemble(
        {"alg": "none", "typ": "at+jwt", "kid": "ES256"}, json.dumps(claims()).encode()
    ),
    "HS256 with the public key": _hs256_with_the_public_key(),
    "a key in the header": _with_header(jwk=signing_key("ES256", "own").as_dict(private=False)),
    "a key set in the header": _with_header(jku="https://evil.example/jwks"),
    "a key that the issuer has not": sign(claims(), signing_key("ES256", "own")),
    "another key under a known name": _with_header(),
    "for another API": token(aud=["https://other.example"]),
    "for the issuer": token(aud=[URL]),
    "from another issuer": token(iss="https://evil.example"),
    "an ID token": sign(claims(), header={"typ": "JWT"}),
    "a logout token": sign(claims(), header={"typ": "logout+jwt"}),
    "expired": token(exp=NOW - 31),
    "not valid yet": token(nbf=NOW + 31),
    "huge": token(note="x" * 100_000),
    "cut": token()[:-10],
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize(("method", "path", "_action"), ROUTES)
def test_a_token_that_proves_nothing_gets_nowhere(
    client: FlaskClient, method: str, path: str, _action: str, attack: str
) -> None:
    response = call(client, method, path, ATTACKS[attack])
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    assert body(response)["error"] == "invalid_token"
    servers = body(call(client, "GET", "/v1/servers"))["servers"]
    assert [(each["status"], each["lastAction"]) for each in servers] == [("running", None)] * 2


def test_the_health_check_needs_no_token(client: FlaskClient) -> None:
    response = client.get("/healthz")
    assert response.status_code == 200
    assert body(response) == {"status": "ok"}


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1/servers/", 404, "not_found"),
        ("GET", "/v1//servers", 404, "not_found"),
        ("GET", "/v1/servers/srv-web-1/stop/now", 404, "not_found"),
        ("GET", "/v1/servers/%ff%00", 404, "not_found"),
        ("GET", "/v1/servers/..%2f..%2fetc", 404, "not_found"),
        ("PUT", "/v1/servers", 405, "method_not_allowed"),
        ("GET", "/v1/servers/srv-web-1/stop", 405, "method_not_allowed"),
        ("TRACE", "/v1/servers", 405, "method_not_allowed"),
        ("NONSENSE", "/healthz", 405, "method_not_allowed"),
    ],
)
def test_what_the_api_does_not_have_is_said_in_json(
    client: FlaskClient, method: str, path: str, status: int, error: str
) -> None:
    response = call(client, method, path)
    assert response.status_code == status
    assert body(response)["error"] == error
    assert ("Allow" in response.headers) is (status == 405)


def test_a_fault_shows_nothing_of_itself(app: Flask) -> None:
    @app.get("/fault")
    def fault() -> str:
        raise RuntimeError("a secret detail")

    response = app.test_client().get("/fault")
    assert response.status_code == 500
    assert body(response)["error"] == "internal_server_error"
    assert "secret" not in response.text


def test_settings_have_the_values_of_the_demo() -> None:
    given = {
        "VSERVER_CLIENT_ID": "an-id",
        "VSERVER_CLIENT_SECRET": "a-secret",
        "VSERVER_PORT": "",
        "PATH": "/bin",
    }
    assert Settings.from_environment(given) == Settings(
        client_id="an-id",
        client_secret="a-secret",
        issuer="http://127.0.0.1:8000",
        audience="https://vserver.example",
        host="localhost",
        port=8001,
        account="60108",
    )
    assert SETTINGS.address() == "127.0.0.1"
    assert "a-secret" not in repr(SETTINGS)


def test_settings_are_read_from_the_environment() -> None:
    assert Settings.from_environment(
        {
            "VSERVER_CLIENT_ID": "an-id",
            "VSERVER_CLIENT_SECRET": "a-secret",
            "VSERVER_ISSUER": "https://id.example",
            "VSERVER_AUDIENCE": "urn:vserver",
            "VSERVER_HOST": "::1",
            "VSERVER_PORT": "9001",
            "VSERVER_ACCOUNT": "7",
        }
    ) == Settings("an-id", "a-secret", "https://id.example", "urn:vserver", "::1", 9001, "7")


@pytest.mark.parametrize("missing", ["CLIENT_ID", "CLIENT_SECRET"])
def test_it_needs_a_client_of_its_own(missing: str) -> None:
    given = {"VSERVER_CLIENT_ID": "an-id", "VSERVER_CLIENT_SECRET": "a-secret"}
    with pytest.raises(SettingsError, match="VSERVER_CLIENT_ID and VSERVER_CLIENT_SECRET are"):
        Settings.from_environment({**given, f"VSERVER_{missing}": " "})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "٨٠٠١"),
        ("ACCOUNT", "sa-1"),
        ("ACCOUNT", "60108,53461"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"VSERVER_{name} is"):
        Settings.from_environment({f"VSERVER_{name}": value})


def test_every_action_of_the_api_is_in_the_shipped_catalogue() -> None:
    catalogue = tomllib.loads((ROOT / "app/services/shipped/vserver.toml").read_text())
    assert catalogue["name"] == "vserver"
    assert catalogue["identifier"] == SETTINGS.audience
    actions = {f"vserver:{action['name']}": action for action in catalogue["actions"]}
    assert {action for _, _, action in ROUTES} <= set(actions)
    for name, action in actions.items():
        read_only = matches("vserver:List*", name) or matches("vserver:Get*", name)
        assert (action["label"] in {"List", "Read"}) is read_only
        assert action["label"] in {"List", "Read", "Write", "Tagging"}
        assert action["resources"]
