"""A service account gets its own token: what `scope`, `aud` and `evaluate` say of its rights."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.services import policies
from tests.support import changes
from tests.support.observation import newest_event
from tests.support.world import START, VSERVER, World, allow, claims_of, deny

ISSUER = "http://127.0.0.1:8000"
NETWORK = "https://network.example"
SERVER = "vserver::60108:server/srv-1"
MFA = {"bool": {"iam:MfaPresent": [True]}}


def with_rights(world: World, *documents: dict[str, Any]) -> None:
    """The service account of the story holds these policies, and nothing else."""
    changes.take_servers(world)
    for number, document in enumerate(documents):
        changes.give(world, document, f"p{number}", service_account=world.service_account_id)


def claims(world: World, **fields: Any) -> dict[str, Any]:
    answer = world.machine_token(**fields)
    assert answer.status_code == 200, answer.json
    found = claims_of(answer.json["access_token"])
    assert answer.json.get("scope") == found.get("scope")
    return found


def test_the_answer_is_that_of_section_5_1(world: World) -> None:
    answer = world.machine_token()

    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json
    assert body.pop("access_token")
    assert body == {"token_type": "Bearer", "expires_in": 3600, "scope": "vserver:*"}


def test_the_claims_are_its_own(world: World) -> None:
    found = claims(world)

    assert len(found.pop("jti")) == 36
    assert found == {
        "iss": ISSUER,
        "sub": world.service_account_id,
        "aud": [VSERVER],
        "client_id": world.client_id,
        "account_id": "60108",
        "user_type": "service-account",
        "scope": "vserver:*",
        "iat": START,
        "exp": START + 3600,
    }


class TestWhatScopeSays:
    """Action patterns that hold on every resource of the account, without a but."""

    @pytest.mark.parametrize(
        ("documents", "scope"),
        [
            ([allow("vserver:*")], "vserver:*"),
            ([allow("vserver:List*"), allow("vserver:Get*")], "vserver:Get* vserver:List*"),
            ([allow("vserver:*"), allow("vserver:List*")], "vserver:*"),
            ([allow("vserver:*", "vserver::60108:*/*")], "vserver:*"),
            ([allow("vserver:*", "vserver::*:*/*")], "vserver:*"),
            ([allow("vserver:StopServer")], "vserver:StopServer"),
        ],
    )
    def test_a_whole_right(self, world: World, documents: list[Any], scope: str) -> None:
        with_rights(world, *documents)

        found = claims(world)

        assert (found["scope"], found["aud"]) == (scope, [VSERVER])
        assert "evaluate" not in found

    @pytest.mark.parametrize(
        "documents",
        [
            pytest.param([allow("vserver:StopServer", SERVER)], id="on one resource"),
            pytest.param([allow("vserver:*", "vserver::60108:server/*")], id="on one type"),
            pytest.param([allow("vserver:*", condition=MFA)], id="under a condition"),
            pytest.param([allow("vserver:*"), deny("vserver:StopServer")], id="with a deny inside"),
            pytest.param(
                [allow("vserver:*"), deny("vserver:StopServer", SERVER)], id="with a deny on one"
            ),
            pytest.param(
                [allow("vserver:*"), deny("vserver:*", condition=MFA)], id="with a deny that may be"
            ),
        ],
    )
    def test_a_narrower_right_is_left_to_evaluation(
        self, world: World, documents: list[Any]
    ) -> None:
        with_rights(world, *documents)

        found = claims(world, audience="vserver")

        assert "scope" not in found
        assert found["evaluate"] is True

    def test_both_kinds_together(self, world: World) -> None:
        with_rights(world, allow("vserver:List*"), allow("vserver:StopServer", SERVER))

        found = claims(world)

        assert (found["scope"], found["evaluate"]) == ("vserver:List*", True)

    def test_a_right_in_another_account_is_none(self, world: World) -> None:
        with_rights(world, allow("vserver:*", "vserver::53461:*/*"))

        found = claims(world, audience="vserver")

        assert not {"scope", "evaluate"} & found.keys()

    @pytest.mark.parametrize(
        "documents",
        [[], [allow("vserver:StopServer", SERVER)], [allow("vserver:*", condition=MFA)]],
    )
    def test_nothing_in_scope_is_for_the_issuer(self, world: World, documents: list[Any]) -> None:
        with_rights(world, *documents)

        found = claims(world)

        assert found["aud"] == [ISSUER]
        assert "scope" not in found

    def test_no_action_pattern_authorizes_nothing_by_itself(self, world: World) -> None:
        with_rights(world)

        assert not {"scope", "evaluate"} & claims(world).keys()


class TestScopeAsked:
    @pytest.mark.parametrize(
        ("asked", "scope"),
        [
            ("vserver:List*", "vserver:List*"),
            ("vserver:ListServers vserver:ListVolumes", "vserver:ListServers vserver:ListVolumes"),
            ("vserver:*", "vserver:*"),
        ],
    )
    def test_it_narrows(self, world: World, asked: str, scope: str) -> None:
        assert claims(world, scope=asked)["scope"] == scope

    @pytest.mark.parametrize("asked", ["iam:*", "*", "vserver:* iam:ListGroup", "unknown:*"])
    def test_it_never_widens(self, world: World, asked: str) -> None:
        """CVE-2024-52287: scopes beyond configuration by client_credentials."""
        answer = world.machine_token(scope=asked)

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")
        event = newest_event(world)
        assert (event.event, event.reason) == ("token:refuse", "scope-widens")
        assert event.actor_id == world.service_account_id

    @pytest.mark.parametrize("asked", ["openid", "email", "read", "vserver:List-*"])
    def test_what_is_no_action_pattern(self, world: World, asked: str) -> None:
        answer = world.machine_token(scope=asked)

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")

    def test_a_narrower_right_can_be_asked_for(self, world: World) -> None:
        with_rights(world, allow("vserver:StopServer", SERVER))

        found = claims(world, scope="vserver:StopServer")

        assert (found["aud"], found["evaluate"]) == ([VSERVER], True)
        assert "scope" not in found

    def test_it_is_kept_as_a_limit(self, world: World) -> None:
        found = claims(world, scope="vserver:List*")

        kept = world.rows("SELECT patterns FROM tokens WHERE id = :id", id=found["jti"])
        assert json.loads(kept[0].patterns) == ["vserver:List*"]


class TestApisNamed:
    @pytest.fixture
    def network(self, world: World) -> None:
        changes.new_product(world, "network")
        changes.give(world, allow("network:*"), "n", service_account=world.service_account_id)

    @pytest.mark.parametrize("parameter", ["audience", "resource"])
    @pytest.mark.parametrize("name", ["vserver", VSERVER])
    def test_one_of_several(self, world: World, network: None, parameter: str, name: str) -> None:
        found = claims(world, **{parameter: name})

        assert (found["aud"], found["scope"]) == ([VSERVER], "vserver:*")

    def test_all_of_them(self, world: World, network: None) -> None:
        assert claims(world)["aud"] == [NETWORK, VSERVER]
        assert claims(world)["scope"] == "network:* vserver:*"

    @pytest.mark.parametrize("name", ["unknown", "https://unknown.example", "VSERVER", "*"])
    def test_an_unknown_one(self, world: World, name: str) -> None:
        answer = world.machine_token(audience=name)

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_target")

    def test_a_known_one_without_any_right_there(self, world: World) -> None:
        changes.new_product(world, "network")

        found = claims(world, audience="network")

        assert found["aud"] == [NETWORK]
        assert not {"scope", "evaluate"} & found.keys()

    def test_the_issuer_and_another(self, world: World) -> None:
        answer = world.machine_token(audience=["iam", "vserver"])

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_target")

    def test_the_issuer_never_comes_along(self, world: World) -> None:
        """Rights in iam as well: an API must not get a token that the issuer accepts."""
        policies.attach(world.runtime, "IAMFullAccess", "service-account", world.service_account_id)

        found = claims(world)

        assert (found["aud"], found["scope"]) == ([VSERVER], "vserver:*")
        assert claims(world, audience="iam")["scope"] == "iam:*"

    def test_rights_in_iam_alone(self, world: World) -> None:
        with_rights(world, allow("iam:List*"))

        found = claims(world)

        assert (found["aud"], found["scope"]) == ([ISSUER], "iam:List*")


@pytest.mark.parametrize("lifetime", [900, 43_200])
def test_the_service_account_sets_the_lifetime(world: World, lifetime: int) -> None:
    new = changes.new_service_account(world, "Other", max_token_lifetime=lifetime)

    answer = world.token_call(
        {"grant_type": "client_credentials"}, auth=(new.client_id, new.client_secret)
    )

    assert answer.json["expires_in"] == lifetime


class TestWhatIsIgnored:
    @pytest.mark.parametrize(
        "fields",
        [
            {"requested_subject": "sa-another"},
            {"subject_token": "x"},
            {"username": "root"},
            {"unknown": "x"},
            {"scope": ""},
            {"audience": ""},
        ],
    )
    def test_parameters_of_others(self, world: World, fields: dict[str, str]) -> None:
        assert claims(world, **fields)["sub"] == world.service_account_id


def test_no_refresh_token(world: World) -> None:
    """RFC 6749 section 4.4.3."""
    assert "refresh_token" not in world.machine_token().json
