"""Reading a request strictly, once, from one place (RFC 6749 section 3.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from app.oauth.parameters import parse, parse_pairs
from app.services.refusals import Refused
from tests.support.world import World, basic, build_world

FORM = "application/x-www-form-urlencoded"
BODY = urlencode({"grant_type": "client_credentials"})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for all: nothing here changes it."""
    made = build_world(tmp_path_factory.mktemp("parameters"))
    yield made
    made.close()


def send(world: World, body: str | bytes, content_type: str | None = FORM, **options: Any) -> Any:
    """A token request of the service account with this body."""
    headers = {"Authorization": basic(world.client_id, world.client_secret)}
    return world.client.post(
        "/oauth2/token", data=body, content_type=content_type, headers=headers, **options
    )


def refused(answer: Any) -> None:
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request"), answer.json
    assert answer.headers["Cache-Control"] == "no-store"


class TestWhereItIsReadFrom:
    def test_the_body(self, world: World) -> None:
        assert send(world, BODY).status_code == 200

    def test_never_the_query_string(self, world: World) -> None:
        refused(send(world, "", query_string=BODY))
        answer = send(world, BODY, query_string="grant_type=password&scope=nonsense&scope=twice")
        assert answer.status_code == 200

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
    def test_only_by_post(self, world: World, method: str) -> None:
        answer = world.client.open("/oauth2/token", method=method, query_string=BODY)

        assert answer.status_code == 405
        assert "POST" in answer.headers["Allow"]

    @pytest.mark.parametrize(
        "content_type",
        [
            None,
            "",
            "text/plain",
            "application/json",
            "multipart/form-data; boundary=x",
            "application/x-www-form-urlencoded; charset=utf-16",
            "application/x-www-form-urlencoded; charset=latin-1",
            "application/x-www-form-urlencoded, application/json",
        ],
    )
    def test_another_content_type(self, world: World, content_type: str | None) -> None:
        refused(send(world, BODY, content_type))

    @pytest.mark.parametrize(
        "content_type",
        [
            "application/x-www-form-urlencoded; charset=utf-8",
            "application/x-www-form-urlencoded;charset=UTF-8",
            "APPLICATION/X-WWW-FORM-URLENCODED",
        ],
    )
    def test_the_same_content_type_in_other_words(self, world: World, content_type: str) -> None:
        assert send(world, BODY, content_type).status_code == 200


class TestDuplicates:
    @pytest.mark.parametrize(
        "name", ["grant_type", "client_id", "client_secret", "scope", "subject_token", "unknown"]
    )
    @pytest.mark.parametrize("values", [("a", "a"), ("a", "b"), ("", "a"), ("", "")])
    def test_a_parameter_comes_once(self, world: World, name: str, values: tuple[str, str]) -> None:
        fields = [(n, v) for n, v in [("grant_type", "client_credentials")] if n != name]

        refused(send(world, urlencode([*fields, *((name, value) for value in values)])))

    def test_but_for_those_that_may_repeat(self, world: World) -> None:
        answer = send(world, BODY + "&audience=vserver&audience=vserver&resource=vserver")

        assert answer.status_code == 200

    def test_the_same_name_in_another_spelling(self, world: World) -> None:
        refused(send(world, BODY + "&gr%61nt_type=client_credentials"))


class TestSize:
    def test_a_hundred_fields(self, world: World) -> None:
        fields = "".join(f"&f{number}=" for number in range(99))

        assert send(world, BODY + fields).status_code == 200
        refused(send(world, BODY + fields + "&one=more"))

    def test_sixty_four_kibibytes(self, world: World) -> None:
        rest = 65_536 - len(BODY) - len("&a=&b=&c=")
        third = "x" * (rest // 3)
        body = f"{BODY}&a={third}&b={third}&c={third}" + "x" * (rest % 3)

        assert len(body) == 65_536
        assert send(world, body).status_code == 200
        refused(send(world, body + "x"))

    def test_one_value(self, world: World) -> None:
        assert send(world, f"{BODY}&a={'x' * 32_768}").status_code == 200
        refused(send(world, f"{BODY}&a={'x' * 32_769}"))

    def test_one_name(self, world: World) -> None:
        assert send(world, f"{BODY}&{'x' * 64}=1").status_code == 200
        refused(send(world, f"{BODY}&{'x' * 65}=1"))


class TestCharacters:
    @pytest.mark.parametrize(
        "encoded",
        [
            "%00",
            "a%00b",
            "%0A",
            "%0D%0A",
            "%1B",
            "%7F",
            "%C2%80",  # C1 controls
            "%C2%85",
            "%E2%80%AA",  # bidi embeddings and overrides
            "%E2%80%AE",
            "%E2%81%A6",  # bidi isolates
            "%E2%81%A9",
            "%E2%80%A8",  # line and paragraph separators
            "%E2%80%A9",
            "%F4%8F%BF%BF",  # no character
        ],
    )
    @pytest.mark.parametrize("place", ["scope", "unknown", "name", "audience"])
    def test_what_does_not_print(self, world: World, encoded: str, place: str) -> None:
        pair = f"{encoded}=x" if place == "name" else f"{place}={encoded}"

        refused(send(world, f"{BODY}&{pair}"))

    @pytest.mark.parametrize(
        "raw",
        [
            b"&a=\xff",
            b"&a=\xc3\xa9",
            b"&a=\x00",
            "&a=é".encode("utf-16"),
            b"&a=%ff",
            b"&a=%C3",
            b"&a=%ED%A0%80",  # half a surrogate pair
            b"&a=%C0%80",  # NUL in two bytes
            b"&a=%",
            b"&a=%1",
            b"&a=%zz",
            b"&a=%u0041",
        ],
    )
    def test_what_is_not_plainly_encoded_utf_8(self, world: World, raw: bytes) -> None:
        refused(send(world, BODY.encode() + raw))

    @pytest.mark.parametrize("encoded", ["%C3%A9", "%F0%9F%9A%80", "%E4%B8%AD", "a+b", "%2B"])
    def test_other_alphabets(self, world: World, encoded: str) -> None:
        assert send(world, f"{BODY}&note={encoded}").status_code == 200

    def test_only_a_policy_may_have_lines(self, world: World) -> None:
        parse(b"policy=%7B%0A%09%7D%0D%0A", 10)
        with pytest.raises(Refused):
            parse(b"policy=%7B%00%7D", 10)
        with pytest.raises(Refused):
            parse(b"reason=a%0Ab", 10)

    def test_semicolons_do_not_separate(self, world: World) -> None:
        answer = send(world, f"{BODY};scope=nonsense")

        assert answer.json["error"] == "unsupported_grant_type"

    def test_an_answer_quotes_no_control_characters(self, world: World) -> None:
        answer = send(world, f"{BODY}&a%22b%5Cc=1&a%22b%5Cc=2")

        refused(answer)
        assert '"' not in answer.json["error_description"]
        assert "\\" not in answer.json["error_description"]


class TestEmpty:
    def test_an_empty_value_counts_as_not_sent(self) -> None:
        parameters = parse(b"a=&b=1&c&resource=&resource=x", 10)

        assert parameters.get("a") is None
        assert parameters.get("b") == "1"
        assert parameters.get("c") is None
        assert parameters.all("resource") == ("x",)

    def test_an_empty_body(self, world: World) -> None:
        refused(send(world, ""))

    def test_an_empty_grant_type(self, world: World) -> None:
        refused(send(world, "grant_type="))

    def test_pairs_that_are_apart_already(self) -> None:
        assert parse_pairs([("a", "1"), ("audience", "x"), ("audience", "y")]).all("audience") == (
            "x",
            "y",
        )
