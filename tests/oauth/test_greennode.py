"""The token call of SDKs that exist already: other paths and shapes, the same rules."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import changes
from tests.support.observation import newest_event
from tests.support.world import VSERVER, World, basic, claims_of

V2, V2_DOUBLE, V1 = (
    "/accounts-api/v2/auth/token",
    "/accounts-api/v2//auth/token",
    "/accounts-api/v1/auth/token",
)
GRANT = {"grant_type": "client_credentials"}
OLD_GRANT = {"grantType": "client_credentials"}


@pytest.fixture
def header(world: World) -> dict[str, str]:
    return {"Authorization": basic(world.client_id, world.client_secret)}


@pytest.fixture
def body_credentials(world: World) -> dict[str, str]:
    return {"ClientId": world.client_id, "ClientSecret": world.client_secret}


def is_v2(answer: Any) -> bool:
    assert answer.status_code == 200, answer.json
    assert answer.headers["Cache-Control"] == "no-store"
    body = dict(answer.json)
    claims = claims_of(body.pop("access_token"))
    assert claims["aud"] == [VSERVER]
    return body == {"token_type": "Bearer", "expires_in": 3600, "refresh_expires_in": 0}


def refused(answer: Any, status: int, code: str) -> None:
    """These SDKs read one or another of three places."""
    assert answer.status_code == status, answer.json
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json
    assert body.keys() == {"error", "message", "errors"}
    assert body["error"] == code
    assert isinstance(body["message"], str)
    assert len(body["errors"]) == 1
    assert body["errors"][0].keys() == {"code", "message"}
    assert body["errors"][0]["message"] == body["message"]
    if status == 401:
        assert body["errors"][0]["code"] == "AUTHENTICATION_FAILED"
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")


class TestVersion2:
    @pytest.mark.parametrize("path", [V2, V2_DOUBLE])
    def test_a_form_and_basic(self, world: World, path: str, header: dict[str, str]) -> None:
        assert is_v2(world.client.post(path, data=GRANT, headers=header))

    @pytest.mark.parametrize("path", [V2, V2_DOUBLE])
    def test_json_and_basic(self, world: World, path: str, header: dict[str, str]) -> None:
        assert is_v2(world.client.post(path, json=GRANT, headers=header))

    @pytest.mark.parametrize("path", [V2, V2_DOUBLE])
    def test_credentials_in_the_json_body(
        self, world: World, path: str, body_credentials: dict[str, str]
    ) -> None:
        assert is_v2(world.client.post(path, json={**GRANT, **body_credentials}))

    def test_both_and_equal(
        self, world: World, header: dict[str, str], body_credentials: dict[str, str]
    ) -> None:
        """One SDK sends both."""
        answer = world.client.post(V2, json={**GRANT, **body_credentials}, headers=header)

        assert is_v2(answer)

    @pytest.mark.parametrize("name", ["ClientId", "ClientSecret"])
    @pytest.mark.parametrize("value", ["another", ""])
    def test_both_and_not_equal(
        self,
        world: World,
        header: dict[str, str],
        body_credentials: dict[str, str],
        name: str,
        value: str,
    ) -> None:
        body = {**GRANT, **body_credentials, name: value}

        refused(world.client.post(V2, json=body, headers=header), 400, "invalid_request")

    @pytest.mark.parametrize("scope", ["email", ""])
    def test_a_scope_that_means_nothing(
        self, world: World, header: dict[str, str], scope: str
    ) -> None:
        assert is_v2(world.client.post(V2, data={**GRANT, "scope": scope}, headers=header))

    def test_a_scope_that_narrows(self, world: World, header: dict[str, str]) -> None:
        answer = world.client.post(V2, json={**GRANT, "scope": "vserver:List*"}, headers=header)

        assert claims_of(answer.json["access_token"])["scope"] == "vserver:List*"

    @pytest.mark.parametrize("scope", ["openid", "iam:*", "x"])
    def test_a_scope_that_is_not_granted(
        self, world: World, header: dict[str, str], scope: str
    ) -> None:
        answer = world.client.post(V2, data={**GRANT, "scope": scope}, headers=header)

        refused(answer, 400, "invalid_scope")

    def test_it_is_audited_like_any_other(self, world: World, header: dict[str, str]) -> None:
        answer = world.client.post(V2, json=GRANT, headers=header)

        event = newest_event(world)
        assert event.token_id == claims_of(answer.json["access_token"])["jti"]
        assert event.actor_id == world.service_account_id


class TestVersion1:
    @pytest.mark.parametrize("kind", ["json", "data"])
    def test_camel_case(self, world: World, header: dict[str, str], kind: str) -> None:
        answer = world.client.post(V1, headers=header, **{kind: OLD_GRANT})

        assert answer.status_code == 200
        assert answer.json.keys() == {"accessToken", "expiresIn"}
        assert answer.json["expiresIn"] == 3600
        assert claims_of(answer.json["accessToken"])["sub"] == world.service_account_id

    def test_credentials_come_by_basic_alone(
        self, world: World, body_credentials: dict[str, str]
    ) -> None:
        answer = world.client.post(V1, json={**OLD_GRANT, **body_credentials})

        refused(answer, 401, "invalid_client")


@pytest.mark.parametrize("path", [V2, V2_DOUBLE, V1])
class TestRefusals:
    def body(self, path: str, grant: str = "client_credentials") -> dict[str, str]:
        return {"grantType" if path == V1 else "grant_type": grant}

    def test_a_wrong_secret(self, world: World, path: str) -> None:
        for headers in (
            {"Authorization": basic(world.client_id, "wrong")},
            {"Authorization": basic("nobody", "wrong")},
            {"Authorization": "Basic !!!"},
            {},
        ):
            answer = world.client.post(path, json=self.body(path), headers=headers)
            refused(answer, 401, "invalid_client")

    def test_a_disabled_service_account(
        self, world: World, path: str, header: dict[str, str]
    ) -> None:
        changes.disable_service_account(world)

        answer = world.client.post(path, json=self.body(path), headers=header)

        refused(answer, 401, "invalid_client")

    def test_another_clients_secret(self, world: World, path: str) -> None:
        client = basic(world.product_client_id, world.product_client_secret)

        answer = world.client.post(path, json=self.body(path), headers={"Authorization": client})

        refused(answer, 400, "unauthorized_client")

    @pytest.mark.parametrize(
        "grant", ["password", "urn:ietf:params:oauth:grant-type:token-exchange", "x"]
    )
    def test_another_grant(
        self, world: World, path: str, header: dict[str, str], grant: str
    ) -> None:
        answer = world.client.post(path, data=self.body(path, grant), headers=header)

        refused(answer, 400, "invalid_request")

    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"",
            b"null",
            b'"x"',
            b"1" * 5000,
            b'{"grant_type": 1}',
            b'{"grant_type": {"a": "b"}}',
            b'{"grant_type": ["client_credentials"]}',
            b'{"a": "1", "a": "2"}',
            b'{"a": "\\u0000"}',
            b'{"a": "\\ud800"}',
            b'{"a": "\xff"}',
            b"[" * 5000,
            b'{"a": "' + b"x" * 70_000 + b'"}',
            b"{" + b",".join(b'"a%d": ""' % number for number in range(101)) + b"}",
        ],
    )
    def test_what_is_no_flat_json(
        self, world: World, path: str, header: dict[str, str], body: bytes
    ) -> None:
        answer = world.client.post(
            path, data=body, headers={**header, "Content-Type": "application/json"}
        )

        refused(answer, 400, "invalid_request")

    @pytest.mark.parametrize("content_type", ["text/plain", "application/xml", ""])
    def test_another_content_type(
        self, world: World, path: str, header: dict[str, str], content_type: str
    ) -> None:
        answer = world.client.post(path, data="x", headers={**header, "Content-Type": content_type})

        refused(answer, 400, "invalid_request")

    def test_duplicates_in_a_form(self, world: World, path: str, header: dict[str, str]) -> None:
        name = next(iter(self.body(path)))
        answer = world.client.post(
            path,
            data=f"{name}=client_credentials&{name}=client_credentials",
            headers={**header, "Content-Type": "application/x-www-form-urlencoded"},
        )

        refused(answer, 400, "invalid_request")

    def test_only_by_post(self, world: World, path: str) -> None:
        assert world.client.get(path).status_code == 405
