"""The application as it is wired: what every answer has, and what no answer gives away."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask, Response, abort, request
from werkzeug.exceptions import TooManyRequests

from app.factory import RUNTIME, create_app, runtime_of
from app.settings import Settings
from app.storage import schema
from app.tokens.keyring import KeyRingError, generate
from app.tokens.secrets import PasswordHasher
from tests.support.observation import statements
from tests.support.world import CLI, RING, START, World, basic, build_world

PEPPER = b"a pepper of thirty-two bytes ..."
#: The answers of a whole site: pages, documents, protocol errors, and what nobody serves.
PATHS = [
    "/healthz",
    "/oauth2/jwks",
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/sign-in",
    "/signed-in",
    "/oauth2/authorize",
    "/oauth2/token",
    "/nowhere",
]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = build_world(tmp_path)
    yield made
    made.close()


def settings(folder: Path, **changes: object) -> Settings:
    return Settings(
        database_url=f"sqlite:///{folder}/store.db", keys_dir=folder / "keys", **changes
    )


def cheap() -> PasswordHasher:
    return PasswordHasher(os.urandom, memory_kib=8, passes=1)


def close(app: Flask) -> None:
    runtime_of(app).database.close()


# ------------------------------------------------------------------------------------- errors


def test_a_path_that_nobody_serves(world: World) -> None:
    answer = world.client.get("/oauth2/nowhere?token=secret")

    assert answer.status_code == 404
    assert answer.json == {"error": "invalid_request", "error_description": "Not Found"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/oauth2/token", {"POST", "OPTIONS"}),
        ("PUT", "/oauth2/token", {"POST", "OPTIONS"}),
        ("DELETE", "/oauth2/jwks", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_a_method_that_is_not_served_says_which_are(
    world: World, method: str, path: str, allowed: set[str]
) -> None:
    answer = world.client.open(path, method=method)

    assert answer.status_code == 405
    assert answer.json == {"error": "invalid_request", "error_description": "Method Not Allowed"}
    assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("length", [65_537, 10_000_000])
def test_a_body_that_is_too_large_is_not_read(world: World, length: int) -> None:
    @world.app.post("/anything")
    def anything() -> str:
        return str(len(request.get_data()))

    answer = world.client.post("/anything", data=b"x" * length)
    assert answer.status_code == 413
    assert answer.json == {
        "error": "invalid_request",
        "error_description": "Request Entity Too Large",
    }
    assert world.client.post("/anything", data=b"x" * 65_536).text == "65536"

    # The token endpoint answers in the words of its protocol.
    refused = world.token_call(grant_type="client_credentials", scope="x" * length)
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_request")


def test_the_largest_body_is_the_operators_choice(tmp_path: Path) -> None:
    world = build_world(tmp_path, max_body_bytes=1024)

    assert world.token_call(grant_type="x" * 1024).json["error"] == "invalid_request"
    assert world.machine_token().status_code == 200
    world.close()


def test_an_error_keeps_the_headers_that_belong_to_it(world: World) -> None:
    @world.app.get("/busy")
    def busy() -> str:
        raise TooManyRequests(retry_after=7)

    answer = world.client.get("/busy")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert answer.content_type == "application/json"
    assert int(answer.headers["Content-Length"]) == len(answer.data)


def test_a_view_may_answer_as_it_likes(world: World) -> None:
    @world.app.get("/teapot")
    def teapot() -> str:
        abort(Response("short and stout", 418))

    assert (world.client.get("/teapot").status_code, world.client.get("/teapot").text) == (
        418,
        "short and stout",
    )


def test_an_unexpected_error_goes_to_the_log_and_not_to_the_caller(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    @world.app.post("/broken")
    def broken() -> str:
        raise RuntimeError("the detail that only the operator may see")

    with caplog.at_level(logging.ERROR):
        answer = world.client.post("/broken?token=in-the-query", data={"secret": "in-the-body"})

    assert answer.status_code == 500
    assert answer.json == {
        "error": "server_error",
        "error_description": "unexpected error; it has been logged",
    }
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "/broken" in caplog.text
    assert "RuntimeError: the detail that only the operator may see" in caplog.text
    assert "Traceback" in caplog.text
    assert "in-the-query" not in caplog.text
    assert "in-the-body" not in caplog.text


def test_a_path_cannot_write_lines_of_its_own_into_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    @world.app.get("/broken/<rest>")
    def broken(rest: str) -> str:
        raise RuntimeError

    world.client.get("/broken/x%0aERROR%20app:%20all%20is%20well")

    assert len(caplog.records) == 1
    assert "\n" not in caplog.records[0].getMessage()


def test_one_error_does_not_spoil_the_next_answer(world: World) -> None:
    @world.app.get("/broken")
    def broken() -> str:
        with world.runtime.database.read():
            raise RuntimeError

    for _ in range(20):
        assert world.client.get("/broken").status_code == 500
    assert world.machine_token().status_code == 200


def test_a_store_that_is_gone_is_not_a_stack_trace(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world.close()
    (tmp_path / "crossroot.db").unlink()
    (tmp_path / "crossroot.db").mkdir()

    answers = [
        world.machine_token(),
        world.token_call(grant_type="client_credentials", client_id=CLI),
        world.client.post(
            "/oauth2/introspect",
            data={"token": "x"},
            headers={"Authorization": basic("client", "secret")},
        ),
        world.client.get(f"/oauth2/authorize?client_id={CLI}"),
    ]

    assert [each.status_code for each in answers] == [503] * 4
    assert all(each.headers["Retry-After"] for each in answers)
    assert not any("sqlite" in each.text or "Traceback" in each.text for each in answers)
    assert caplog.records == []


# ------------------------------------------------------------------------------------ headers


@pytest.mark.parametrize("path", PATHS)
def test_no_answer_is_sniffed_or_kept(world: World, path: str) -> None:
    answer = world.client.get(path)

    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    cached = answer.headers["Cache-Control"]
    # Only what is public and the same for everybody may be kept for a while.
    assert "no-store" in cached or path in PATHS[1:4]
    assert "Server" not in answer.headers


@pytest.mark.parametrize("path", ["/sign-in", "/oauth2/authorize"])
def test_a_page_cannot_be_framed(world: World, path: str) -> None:
    answer = world.client.get(path)

    assert answer.mimetype == "text/html"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_json_keeps_the_order_in_which_it_was_written(world: World) -> None:
    assert list(world.machine_token().json)[:3] == ["access_token", "token_type", "expires_in"]


# ------------------------------------------------------------------------------------- health


def test_a_process_that_lives_says_so_without_asking_the_store(world: World) -> None:
    with statements(world) as seen:
        answer = world.client.get("/healthz")

    assert (answer.status_code, answer.json) == (200, {"status": "alive"})
    assert seen == []


# ------------------------------------------------------------------------------------- wiring


def test_without_keys_the_message_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KeyRingError, match="crossroot keys generate"):
        create_app(settings(tmp_path), pepper=PEPPER)

    generate(tmp_path / "keys", "RS256", START, "active")
    with pytest.raises(KeyRingError, match="no active ES256 key; run: crossroot keys generate"):
        create_app(settings(tmp_path), pepper=PEPPER, passwords=cheap())


def test_with_keys_on_disk_it_signs_and_makes_its_pepper(tmp_path: Path) -> None:
    key = generate(tmp_path / "keys", "ES256", START, "active")

    app = create_app(settings(tmp_path), passwords=cheap())
    runtime = runtime_of(app)
    schema.upgrade(runtime.database)
    jwks = app.test_client().get("/oauth2/jwks").json["keys"]

    assert [each["kid"] for each in jwks] == [key.kid]
    pepper = tmp_path / "keys" / "pepper.key"
    assert stat.S_IMODE(pepper.stat().st_mode) == 0o600
    digest = runtime.secrets.hash("secret", "client-secret")
    close(app)

    # The next process hashes alike.
    again = create_app(settings(tmp_path), passwords=cheap())
    assert runtime_of(again).secrets.hash("secret", "client-secret") == digest
    close(again)


def test_a_pepper_that_others_can_read_stops_the_start(tmp_path: Path) -> None:
    generate(tmp_path / "keys", "ES256", START, "active")
    app = create_app(settings(tmp_path), passwords=cheap())
    close(app)
    (tmp_path / "keys" / "pepper.key").chmod(0o644)

    with pytest.raises(KeyRingError, match=r"pepper\.key"):
        create_app(settings(tmp_path), passwords=cheap())


def test_a_key_that_comes_later_is_published(tmp_path: Path) -> None:
    first = generate(tmp_path / "keys", "ES256", START, "active")
    now = [float(START)]
    app = create_app(settings(tmp_path), clock=lambda: now[0], pepper=PEPPER, passwords=cheap())
    client = app.test_client()

    second = generate(tmp_path / "keys", "ES256", START, "next")
    now[0] += 2
    kids = {each["kid"] for each in client.get("/oauth2/jwks").json["keys"]}

    assert kids == {first.kid, second.kid}
    close(app)


def test_building_the_application_touches_nothing_but_files_of_its_own(tmp_path: Path) -> None:
    app = create_app(settings(tmp_path), ring=lambda: RING, pepper=PEPPER, passwords=cheap())
    close(app)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["store.db"]


def test_the_runtime_is_that_of_the_application(world: World) -> None:
    assert runtime_of(world.app) is world.runtime

    other = Flask("other")
    with pytest.raises(KeyError):
        runtime_of(other)
    other.extensions[RUNTIME] = "something else"
    with pytest.raises(TypeError, match="no Crossroot"):
        runtime_of(other)


def test_two_applications_in_one_process_keep_apart(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    one, two = (build_world(folder) for folder in folders)

    replaced = replace(one.runtime, settings=two.runtime.settings)
    assert replaced.database is one.runtime.database
    assert one.machine_token().status_code == 200
    assert len(one.rows("SELECT id FROM tokens")) == 1
    assert two.rows("SELECT id FROM tokens") == []
    for world in (one, two):
        world.close()
