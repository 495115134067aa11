"""RFC 9207, Authorization Server Issuer Identification: `iss` in every answer by redirect."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.browser import ISSUER, ask, hidden_fields, signed_in
from tests.support.world import World, redirect_parameters


@pytest.mark.parametrize(
    "query",
    [
        {"prompt": "none"},
        {"response_type": "token"},
        {"response_type": ""},
        {"scope": "nonsense"},
        {"resource": "nowhere"},
        {"code_challenge": ""},
        {"request": "x"},
        {"max_age": "x"},
        {"response_mode": "form_post"},
    ],
)
def test_2_in_an_error_response(world: World, query: dict[str, Any]) -> None:
    parameters = redirect_parameters(ask(world, **query))

    assert parameters["error"]
    assert parameters["iss"] == ISSUER


@pytest.mark.parametrize(("decision", "name"), [("approve", "code"), ("deny", "error")])
def test_2_in_the_answer_of_the_person(world: World, decision: str, name: str) -> None:
    browser = signed_in(world)
    fields = {**hidden_fields(ask(world, browser)), "decision": decision}

    parameters = redirect_parameters(browser.post("/oauth2/authorize/decision", data=fields))

    assert parameters[name]
    assert parameters["iss"] == ISSUER


def test_2_once_even_where_the_request_has_one(world: World) -> None:
    answer = ask(world, iss="https://evil.example", prompt="none")

    assert answer.headers["Location"].count("iss=") == 1
    assert redirect_parameters(answer)["iss"] == ISSUER


def test_2_4_it_is_the_issuer_of_the_metadata(world: World) -> None:
    document = world.client.get("/.well-known/oauth-authorization-server").json

    assert document["issuer"] == ISSUER
    assert document["authorization_response_iss_parameter_supported"] is True
