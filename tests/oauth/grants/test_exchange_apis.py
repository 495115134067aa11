"""`audience`, `resource` and `scope`: what the new token is for, and what it may do there."""

from __future__ import annotations

import pytest

from app.domain.principals import MAX_TOKEN_LIFETIME
from app.services import policies
from tests.support import changes
from tests.support.observation import newest_event
from tests.support.tokens import user_token
from tests.support.world import VSERVER, World, allow, claims_of, deny

ISSUER = "http://127.0.0.1:8000"
NETWORK = "https://network.example"


@pytest.fixture
def network(world: World) -> str:
    """A second product, on which the service account has every right."""
    changes.new_product(world, "network")
    changes.give(world, allow("network:*"), "network", service_account=world.service_account_id)
    return NETWORK


def audience(world: World, token: str, **fields: object) -> list[str]:
    answer = world.impersonate(token, **fields)
    assert answer.status_code == 200, answer.json
    return list(claims_of(answer.json["access_token"])["aud"])


class TestAudience:
    """RFC 8693 section 2.1 and RFC 8707: both parameters may repeat."""

    @pytest.mark.parametrize("parameter", ["audience", "resource"])
    @pytest.mark.parametrize("name", ["vserver", VSERVER])
    def test_by_product_name_or_identifier(
        self, world: World, token: str, network: str, parameter: str, name: str
    ) -> None:
        assert audience(world, token, **{parameter: name}) == [VSERVER]

    def test_both_parameters_together(self, world: World, token: str, network: str) -> None:
        found = audience(world, token, audience="network", resource=VSERVER)

        assert sorted(found) == [NETWORK, VSERVER]

    def test_they_may_repeat(self, world: World, token: str, network: str) -> None:
        found = audience(world, token, audience=["network", "vserver", "network", VSERVER])

        assert found == [NETWORK, VSERVER]

    def test_without_them_the_products_of_the_granted_scope(
        self, world: World, token: str, network: str
    ) -> None:
        assert audience(world, token) == [NETWORK, VSERVER]
        assert audience(world, token, scope="network:*") == [NETWORK]
        assert audience(world, token, scope="network:List* vserver:List*") == [NETWORK, VSERVER]

    @pytest.mark.parametrize(
        "name",
        [
            "unknown",
            "https://unknown.example",
            "https://vserver.example/",
            "HTTPS://vserver.example",
            "https://vserver.example.evil.example",
            "vServer",
            "*",
            "crossroot-cli",
        ],
    )
    @pytest.mark.parametrize("parameter", ["audience", "resource"])
    def test_an_unknown_api(self, world: World, token: str, parameter: str, name: str) -> None:
        answer = world.impersonate(token, **{parameter: ["vserver", name]})

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_target")
        assert name not in answer.json["error_description"]

    @pytest.mark.parametrize("name", ["iam", ISSUER])
    def test_the_issuer_alone(self, world: World, token: str, name: str) -> None:
        assert audience(world, token, audience=name) == [ISSUER]

    @pytest.mark.parametrize("others", [["vserver", "iam"], [ISSUER, VSERVER]])
    def test_the_issuer_never_shares_a_token(
        self, world: World, token: str, others: list[str]
    ) -> None:
        answer = world.impersonate(token, audience=others)

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_target")

    def test_more_names_than_anybody_needs(self, world: World, token: str) -> None:
        answer = world.impersonate(token, audience=["vserver"] * 21)

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
        assert world.impersonate(token, audience=["vserver"] * 20).status_code == 200

    def test_a_token_for_one_api_leads_to_no_other(self, world: World, network: str) -> None:
        """A product that was handed a user's token cannot reach beyond itself with it."""
        users = user_token(world, resources=(VSERVER,))

        assert audience(world, users) == [VSERVER]
        for name in ("network", "iam", ISSUER):
            answer = world.impersonate(users, audience=name)
            assert (answer.status_code, answer.json["error"]) == (400, "invalid_target")


class TestScope:
    """Action patterns to keep. They never widen."""

    @pytest.mark.parametrize(
        ("asked", "granted"),
        [
            ("vserver:List*", "vserver:List*"),
            ("vserver:ListServers vserver:StopServer", "vserver:ListServers vserver:StopServer"),
            ("vserver:StopServer vserver:ListServers", "vserver:ListServers vserver:StopServer"),
            ("vserver:List* vserver:ListServers", "vserver:List*"),
            ("vserver:*", "vserver:*"),
        ],
    )
    def test_it_narrows(self, world: World, token: str, asked: str, granted: str) -> None:
        answer = world.impersonate(token, scope=asked)

        assert answer.json["scope"] == granted
        assert claims_of(answer.json["access_token"])["scope"] == granted

    @pytest.mark.parametrize(
        "asked", ["iam:*", "iam:ListIamUser", "*", "network:*", "vserver:* iam:ListIamUser"]
    )
    def test_it_never_widens(self, world: World, token: str, asked: str) -> None:
        changes.new_product(world, "network")

        answer = world.impersonate(token, scope=asked)

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")
        assert len(answer.json["decision_id"]) == 36

    @pytest.mark.parametrize(
        "asked",
        [
            "openid",
            "vserver",
            "vserver:",
            ":List",
            "vserver:List-*",
            "VSERVER:List*",
            "vserver:List*,vserver:Get*",
            "**",
            "vserver::60108:server/1",
            'vserver:"',
            "véserver:List",
        ],
    )
    def test_what_is_no_action_pattern(self, world: World, token: str, asked: str) -> None:
        answer = world.impersonate(token, scope=asked)

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")
        assert "decision_id" not in answer.json
        assert answer.json["error_description"].isascii()

    def test_a_right_on_one_resource_is_not_in_scope(self, world: World, token: str) -> None:
        changes.take_servers(world)
        server = "vserver::60108:server/srv-1"
        changes.give(
            world,
            allow("vserver:StopServer", server),
            service_account=world.service_account_id,
        )

        answer = world.impersonate(token, audience="vserver", scope="vserver:StopServer")

        claims = claims_of(answer.json["access_token"])
        assert "scope" not in answer.json
        assert "scope" not in claims
        assert claims["evaluate"] is True

    def test_a_deny_inside_takes_the_pattern_out(self, world: World, token: str) -> None:
        changes.give(world, deny("vserver:DeleteServer"), service_account=world.service_account_id)

        claims = claims_of(world.impersonate(token, audience="vserver").json["access_token"])

        assert "scope" not in claims
        assert claims["evaluate"] is True

    def test_nothing_in_scope_and_no_api_named_is_for_the_issuer(
        self, world: World, token: str
    ) -> None:
        changes.take_servers(world)

        claims = claims_of(world.impersonate(token).json["access_token"])

        assert claims["aud"] == [ISSUER]
        assert not {"scope", "evaluate"} & claims.keys()

    def test_the_rights_are_those_of_this_moment(self, world: World, token: str) -> None:
        policies.detach(
            world.runtime, "vServerFullAccess", "service-account", world.service_account_id
        )
        policies.attach(
            world.runtime, "vServerReadOnlyAccess", "service-account", world.service_account_id
        )

        assert world.impersonate(token).json["scope"] == "vserver:Get* vserver:List*"


class TestSize:
    """A token has to fit into a header: asking for too much is refused, not an accident."""

    def test_a_scope_that_no_token_can_hold(self, world: World, token: str) -> None:
        asked = " ".join(f"vserver:{number:064d}" for number in range(99))

        answer = world.impersonate(token, scope=asked)

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")
        event = newest_event(world)
        assert answer.json["decision_id"] == event.id
        assert (event.event, event.outcome) == ("token:refuse", "denied")
        assert (event.actor_id, event.acting_as) == (world.user_id, world.service_account_id)
        assert world.rows("SELECT id FROM tokens WHERE parent_id IS NOT NULL") == []

    def test_a_scope_of_thousands_of_patterns(self, world: World, token: str) -> None:
        asked = " ".join(f"vserver:A{number}" for number in range(2400))

        answer = world.impersonate(token, scope=asked)

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")
        assert "decision_id" not in answer.json

    def test_a_scope_of_a_hundred_patterns(self, world: World, token: str) -> None:
        asked = " ".join(f"vserver:A{number:02d}" for number in range(100))

        assert world.impersonate(token, scope=asked).json["scope"] == asked

    def test_the_lifetime_is_no_way_around(self, world: World, token: str) -> None:
        answer = world.impersonate(token, requested_expires_in=str(MAX_TOKEN_LIFETIME))

        assert answer.json["expires_in"] == 3600


def test_a_token_for_an_api_that_was_renamed_is_for_nothing(world: World) -> None:
    """Its audience names no product any more: it must not fall back to the issuer's own."""
    users = user_token(world, resources=(VSERVER,))
    changes.new_product(world, "vserver", "https://vserver.renamed.example")

    for answer in (world.impersonate(users), world.exchange(users)):
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_target")


def test_no_product_can_take_the_issuers_name(world: World) -> None:
    """Its tokens would be the issuer's own: aud confusion, by the operator's mistake."""
    for identifier in (ISSUER, ISSUER + "/"):
        with pytest.raises(ValueError, match="issuer"):
            changes.new_product(world, "network", identifier)
