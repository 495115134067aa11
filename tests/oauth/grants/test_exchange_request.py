"""Reading the request of an exchange: token types, and what is refused, ignored or left out."""

from __future__ import annotations

import pytest

from tests.support.world import ACCESS_TOKEN, World, claims_of

JWT = "urn:ietf:params:oauth:token-type:jwt"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
REFRESH_TOKEN = "urn:ietf:params:oauth:token-type:refresh_token"


class TestTokenTypes:
    """`subject_token_type`, `requested_token_type` (RFC 8693 section 3)."""

    @pytest.mark.parametrize("kind", [ACCESS_TOKEN, JWT])
    def test_an_access_token_of_ours_is_also_a_jwt(
        self, world: World, token: str, kind: str
    ) -> None:
        assert world.impersonate(token, subject_token_type=kind).status_code == 200

    @pytest.mark.parametrize("kind", [ID_TOKEN, REFRESH_TOKEN, "access_token", "x"])
    def test_no_other_kind_of_token_is_taken(self, world: World, token: str, kind: str) -> None:
        answer = world.impersonate(token, subject_token_type=kind)

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")

    @pytest.mark.parametrize("kind", [ACCESS_TOKEN, JWT])
    def test_the_answer_names_the_type_that_was_asked_for(
        self, world: World, token: str, kind: str
    ) -> None:
        answer = world.impersonate(token, requested_token_type=kind)

        assert answer.json["issued_token_type"] == kind

    @pytest.mark.parametrize("kind", [ID_TOKEN, REFRESH_TOKEN, "x"])
    def test_no_other_type_is_issued(self, world: World, token: str, kind: str) -> None:
        answer = world.impersonate(token, requested_token_type=kind)

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "name", ["actor_token", "actor_token_type", "authorization_details", "requested_actor"]
)
def test_what_would_restrict_or_re_attribute_is_refused(
    world: World, token: str, name: str
) -> None:
    answer = world.impersonate(token, **{name: "something"})

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert name in answer.json["error_description"]


def test_unknown_parameters_are_ignored(world: World, token: str) -> None:
    answer = world.impersonate(token, may_act="x", username="root", password="x", sub="x", act="x")

    assert answer.status_code == 200
    assert claims_of(answer.json["access_token"])["act"]["sub"] == world.user_id


@pytest.mark.parametrize(
    "name",
    [
        "scope",
        "audience",
        "resource",
        "requested_expires_in",
        "display_name",
        "reason",
        "external_id",
        "policy",
        "requested_token_type",
        "actor_token",
        "authorization_details",
    ],
)
def test_a_parameter_sent_empty_counts_as_not_sent(world: World, token: str, name: str) -> None:
    answer = world.impersonate(token, **{name: ""})

    assert answer.status_code == 200
    assert answer.json["expires_in"] == 3600
    assert answer.json["scope"] == "vserver:*"


@pytest.mark.parametrize("name", ["subject_token", "subject_token_type"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_required_parameter_is_missing(
    world: World, token: str, name: str, value: str | None
) -> None:
    answer = world.exchange(
        **{"subject_token": token, "requested_subject": world.service_account_id, name: value}
    )

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert name in answer.json["error_description"]


def test_an_empty_requested_subject_narrows(world: World, token: str) -> None:
    claims = claims_of(world.exchange(token, requested_subject="").json["access_token"])

    assert (claims["sub"], claims["user_type"]) == (world.user_id, "iam-user")
