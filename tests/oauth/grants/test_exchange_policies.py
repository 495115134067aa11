"""`policy`: an inline policy document that can only take away."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support import changes
from tests.support.world import World, allow, claims_of, deny


def inline(*documents: dict[str, Any]) -> str:
    return json.dumps({"statements": [s for each in documents for s in each["statements"]]})


class TestWhatItDoes:
    def test_nothing_stays_in_scope(self, world: World, token: str) -> None:
        """A right under an inline policy is never in `scope`: access evaluation is asked."""
        answer = world.impersonate(
            token, audience="vserver", policy=inline(allow("vserver:ListServers"))
        )

        claims = claims_of(answer.json["access_token"])
        assert "scope" not in answer.json
        assert "scope" not in claims
        assert claims["evaluate"] is True

    def test_it_is_kept_with_the_token_as_it_was_sent(self, world: World, token: str) -> None:
        document = allow("vserver:ListServers", "vserver::60108:server/srv-1")

        answer = world.impersonate(token, policy=json.dumps(document))

        token_id = claims_of(answer.json["access_token"])["jti"]
        kept = world.rows("SELECT inline_policies FROM tokens WHERE id = :id", id=token_id)
        assert json.loads(kept[0].inline_policies) == [document]

    def test_it_gives_nothing(self, world: World, token: str) -> None:
        """The service account has no right in iam, whatever the policy says."""
        answer = world.impersonate(token, audience="iam", policy=inline(allow("*")))

        claims = claims_of(answer.json["access_token"])
        assert not {"scope", "evaluate"} & claims.keys()

    def test_it_does_not_help_the_caller(self, world: World, token: str) -> None:
        changes.take_impersonation(world)

        answer = world.impersonate(
            token, policy=inline(allow("iam:ImpersonateServiceAccount", world.vrn))
        )

        assert answer.json["error"] == "invalid_target"

    @pytest.mark.parametrize("newline", ["\n", "\r\n", "\t"])
    def test_people_write_it_on_several_lines(self, world: World, token: str, newline: str) -> None:
        text = json.dumps(allow("vserver:*"), indent=2).replace("\n", newline)

        assert world.impersonate(token, policy=text).status_code == 200


class TestWhatIsRefused:
    """As a whole, with the path of what is wrong."""

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("{", "JSON"),
            ("[]", "object"),
            ("null", "object"),
            ('"*"', "object"),
            ("{}", "statements"),
            ('{"statements": []}', "statements"),
            ('{"statements": [], "statements": []}', "twice"),
            ("[" * 5000, "nested"),
            ('{"statements": [' + "1" * 5000 + "]}", "JSON"),
        ],
    )
    def test_what_is_no_document(self, world: World, token: str, text: str, told: str) -> None:
        answer = world.impersonate(token, policy=text)

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
        assert told in answer.json["error_description"]

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"effect": "Allow"}, "statements[0].effect"),
            ({"actions": ["vserver:*", "vserve:*"]}, "statements[0].actions[1]"),
            ({"actions": ["vserver:Fly*"]}, "statements[0].actions[0]"),
            ({"actions": []}, "statements[0].actions"),
            ({"resources": ["vserver:60108"]}, "statements[0].resources[0]"),
            ({"principal": "*"}, "statements[0].principal"),
            ({"condition": {}}, "statements[0].condition"),
            ({"condition": {"bool": {"iam:Mfa": [True]}}}, "iam:Mfa"),
            ({"condition": {"isTrue": {"iam:MfaPresent": [True]}}}, "isTrue"),
        ],
    )
    def test_the_answer_says_where(
        self, world: World, token: str, change: dict[str, Any], told: str
    ) -> None:
        statement = {"effect": "allow", "actions": ["vserver:*"], "resources": ["*"], **change}

        answer = world.impersonate(token, policy=json.dumps({"statements": [statement]}))

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
        assert told in answer.json["error_description"]

    def test_fifty_statements_and_sixteen_kibibytes(self, world: World, token: str) -> None:
        one = allow("vserver:ListServers")
        assert world.impersonate(token, policy=inline(*[one] * 50)).status_code == 200

        many = world.impersonate(token, policy=inline(*[one] * 51))
        long = world.impersonate(token, policy=json.dumps(one) + " " * 16 * 1024)

        assert many.json["error"] == long.json["error"] == "invalid_request"
        assert "50" in many.json["error_description"]
        assert "16384" in long.json["error_description"]

    def test_many_faults_make_no_long_answer(self, world: World, token: str) -> None:
        """An answer that is longer than the question serves only those who flood."""
        statement = {"effect": "allow", "actions": ["1"] * 2500, "resources": ["*"]}
        answer = world.impersonate(token, policy=json.dumps({"statements": [statement]}))

        assert answer.json["error"] == "invalid_request"
        assert "statements[0].actions[0]" in answer.json["error_description"]
        assert len(answer.data) < 2000

    def test_the_answer_keeps_to_the_characters_of_a_description(
        self, world: World, token: str
    ) -> None:
        """RFC 6749 section 5.2: %x20-21 / %x23-5B / %x5D-7E."""
        answer = world.impersonate(token, policy=json.dumps(allow('a"\\é\u2028:b')))

        told = answer.json["error_description"]
        assert all(" " <= c <= "~" and c not in '"\\' for c in told)


def test_a_policy_that_denies_takes_away(world: World, token: str) -> None:
    answer = world.impersonate(token, policy=inline(allow("vserver:*"), deny("vserver:Stop*")))

    assert claims_of(answer.json["access_token"])["evaluate"] is True
