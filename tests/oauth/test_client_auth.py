"""Which client is asking (RFC 6749 section 2.3): one method, form-decoded, equal work."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote_plus

import pytest

from app.services import service_accounts
from app.tokens.secrets import SecretHasher
from tests.support import changes
from tests.support.observation import grown, row_counts, statements
from tests.support.world import ACCESS_TOKEN, CLI, EXCHANGE, World, basic

GRANT = {"grant_type": "client_credentials"}


def call(world: World, data: Any = None, header: str | None = None) -> Any:
    headers = {} if header is None else {"Authorization": header}
    return world.client.post("/oauth2/token", data=data or GRANT, headers=headers)


def raw_basic(text: bytes) -> str:
    return "Basic " + base64.b64encode(text).decode()


def refused(answer: Any) -> None:
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="crossroot", charset="UTF-8"'
    assert answer.headers["Cache-Control"] == "no-store"


class TestOneMethod:
    def test_client_secret_basic(self, world: World) -> None:
        assert call(world, header=basic(world.client_id, world.client_secret)).status_code == 200

    def test_client_secret_post(self, world: World) -> None:
        data = {**GRANT, "client_id": world.client_id, "client_secret": world.client_secret}

        assert call(world, data).status_code == 200

    def test_none_for_a_public_client(self, world: World, token: str) -> None:
        assert world.exchange(token, client_id=CLI).status_code == 200

    @pytest.mark.parametrize("secret", ["right", "wrong"])
    def test_two_methods_are_refused(self, world: World, secret: str) -> None:
        sent = world.client_secret if secret == "right" else secret
        data = {**GRANT, "client_id": world.client_id, "client_secret": sent}

        answer = call(world, data, basic(world.client_id, world.client_secret))

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")

    def test_the_header_and_the_same_client_id(self, world: World) -> None:
        data = {**GRANT, "client_id": world.client_id}

        assert call(world, data, basic(world.client_id, world.client_secret)).status_code == 200

    def test_the_header_and_another_client_id(self, world: World) -> None:
        answer = call(world, {**GRANT, "client_id": CLI}, basic(world.client_id, "x"))

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")

    def test_a_secret_without_a_client(self, world: World) -> None:
        refused(call(world, {**GRANT, "client_secret": world.client_secret}))

    def test_nothing_at_all(self, world: World) -> None:
        refused(call(world))

    @pytest.mark.parametrize("scheme", ["Bearer", "Digest", "Negotiate", "basic_", ""])
    def test_another_scheme(self, world: World, scheme: str) -> None:
        encoded = basic(world.client_id, world.client_secret).partition(" ")[2]

        refused(call(world, header=f"{scheme} {encoded}".strip()))

    @pytest.mark.parametrize("scheme", ["basic", "BASIC", "bAsIc"])
    def test_the_scheme_in_any_case(self, world: World, scheme: str) -> None:
        encoded = basic(world.client_id, world.client_secret).partition(" ")[2]

        assert call(world, header=f"{scheme} {encoded}").status_code == 200

    def test_credentials_in_the_query_are_never_read(self, world: World) -> None:
        answer = world.client.post(
            "/oauth2/token",
            query_string={"client_id": world.client_id, "client_secret": world.client_secret},
            data=GRANT,
        )

        refused(answer)


class TestFormDecoding:
    """Basic credentials are form-decoded after base64 (section 2.3.1)."""

    SECRET = "a+b/c=d e:f%g&hé"

    @pytest.fixture
    def awkward(self, world: World) -> tuple[str, str]:
        """A client whose secret has every character that encoding is about."""
        new = changes.new_client(world, "awkward:client +1")[0]

        def replace(connection: Any) -> None:
            service_accounts.add_secret(world.runtime, connection, new, self.SECRET)

        changes.change(world, replace)
        return new, self.SECRET

    def test_encoded(self, world: World, awkward: tuple[str, str]) -> None:
        header = raw_basic(":".join(quote_plus(part) for part in awkward).encode())

        answer = call(world, header=header)

        assert answer.json["error"] == "unauthorized_client"  # known, but not for this grant

    def test_not_encoded_is_another_secret(self, world: World, awkward: tuple[str, str]) -> None:
        refused(call(world, header=raw_basic(":".join(awkward).encode())))

    def test_ours_need_no_encoding(self, world: World) -> None:
        """Ids and secrets that we make hold only ``A-Za-z0-9-_``."""
        for text in (world.client_id, world.client_secret, world.product_client_secret):
            assert quote_plus(text) == text

    def test_percent_and_plus_are_decoded_once(self, world: World) -> None:
        encoded = "".join(f"%{ord(c):02X}" for c in world.client_secret)

        assert call(world, header=basic(world.client_id, encoded)).status_code == 200
        refused(call(world, header=basic(world.client_id, encoded.replace("%", "%25"))))

    @pytest.mark.parametrize(
        "header",
        [
            "Basic",
            "Basic ",
            "Basic !!!",
            "Basic a",
            "Basic Zm9v",  # no colon
            raw_basic(b":"),
            raw_basic(b"crossroot-cli:"),
            raw_basic(b":secret"),
            raw_basic(b"\xff\xfe:secret"),
            raw_basic(b"client:\xc3\x28"),
            raw_basic(b"client:%ff"),
            raw_basic(b"client%00:secret"),
            raw_basic(b"client:sec\nret"),
            raw_basic(b"client:sec%0d%0aret"),
            raw_basic(b"a" * 60_000),
            "Basic Zm9vOmJhcg==, Basic Zm9vOmJhcg==",
        ],
    )
    def test_what_cannot_be_read(self, world: World, header: str) -> None:
        refused(call(world, header=header))


class TestWhoIsRefused:
    """Wrong, missing, disabled: one answer."""

    @pytest.fixture
    def expected(self, world: World) -> bytes:
        return bytes(call(world, header=basic("nobody", "nothing")).data)

    def test_a_wrong_secret(self, world: World, expected: bytes) -> None:
        answer = call(world, header=basic(world.client_id, world.client_secret[:-1] + "!"))

        refused(answer)
        assert answer.data == expected

    def test_the_secret_of_another(self, world: World, expected: bytes) -> None:
        answer = call(world, header=basic(world.client_id, world.product_client_secret))

        refused(answer)
        assert answer.data == expected

    def test_a_confidential_client_without_its_secret(self, world: World, expected: bytes) -> None:
        for data in ({"client_id": world.client_id}, {"client_id": world.product_client_id}):
            answer = call(world, {**GRANT, **data})
            refused(answer)
            assert answer.data == expected

    @pytest.mark.parametrize("way", ["basic", "post"])
    def test_a_public_client_with_a_secret(self, world: World, way: str, expected: bytes) -> None:
        data = {"grant_type": EXCHANGE, "subject_token": "x", "subject_token_type": ACCESS_TOKEN}
        if way == "post":
            answer = call(world, {**data, "client_id": CLI, "client_secret": "x"})
        else:
            answer = call(world, data, basic(CLI, "x"))

        refused(answer)
        assert answer.data == expected

    def test_a_disabled_service_account(self, world: World, expected: bytes) -> None:
        """CVE-2025-64521, CVE-2024-47000: deactivated ones went on getting tokens."""
        changes.disable_service_account(world)

        answer = call(world, header=basic(world.client_id, world.client_secret))

        refused(answer)
        assert answer.data == expected

    def test_an_account_that_is_disabled(self, world: World, expected: bytes) -> None:
        client = changes.new_client(world, "tenants-app")
        for account_id in ("53461", "60108"):
            changes.disable_account(world, account_id)

        for credentials in (client, (world.client_id, world.client_secret)):
            answer = call(world, header=basic(*credentials))
            refused(answer)
            assert answer.data == expected

    def test_a_disabled_client(self, world: World, expected: bytes) -> None:
        client = changes.new_client(world, "tenants-app", enabled=False)

        answer = call(world, header=basic(*client))

        refused(answer)
        assert answer.data == expected

    def test_a_secret_that_was_replaced(self, world: World, expected: bytes) -> None:
        new = service_accounts.replace_secret(world.runtime, world.service_account_id)

        old = call(world, header=basic(world.client_id, world.client_secret))

        refused(old)
        assert old.data == expected
        assert call(world, header=basic(world.client_id, new)).status_code == 200


class TestTheSameWork:
    def test_statements_and_rows(self, world: World) -> None:
        # A client that there is none of is looked for in vain each time: ids are no secret.
        headers = [
            basic(world.client_id, "wrong"),
            basic(world.product_client_id, "wrong"),
            basic(CLI, "x"),
        ]
        changes.new_client(world, "off", enabled=False)
        headers.append(basic("off", "wrong"))
        for header in headers:
            call(world, header=header)
        seen = []
        for header in headers:
            before = row_counts(world)
            with statements(world) as ran:
                call(world, header=header)
            seen.append((ran, grown(before, row_counts(world))))

        assert all(each == seen[0] for each in seen)

    def test_hashes(self, world: World) -> None:
        """A client that is not there costs the comparison of one that is."""
        hashed = []

        class Counting(SecretHasher):
            def hash(self, secret: str, purpose: str) -> str:
                hashed.append(purpose)
                return super().hash(secret, purpose)

        object.__setattr__(world.runtime, "secrets", Counting(b"a pepper of thirty-two bytes ..."))
        counts = []
        for header in (basic("nobody", "x"), basic(world.client_id, "x"), basic(CLI, "x")):
            hashed.clear()
            call(world, header=header)
            counts.append(list(hashed))

        assert counts == [["client-secret"]] * 3


def test_a_product_is_no_service_account(world: World) -> None:
    answer = call(world, header=basic(world.product_client_id, world.product_client_secret))

    assert (answer.status_code, answer.json["error"]) == (400, "unauthorized_client")
