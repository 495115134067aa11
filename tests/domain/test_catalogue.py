"""Products and actions: what a policy may speak of, what an audience may name."""

from __future__ import annotations

import pytest

from app.domain.catalogue import ActionPattern, Catalogue, Label, Product, parse_action_pattern
from tests.support.policies import CATALOGUE, IAM_PRODUCT, VSERVER_PRODUCT


@pytest.mark.parametrize(
    ("text", "product"),
    [
        ("*", None),
        ("vserver:*", "vserver"),
        ("vserver:StopServer", "vserver"),
        ("vserver:*Server*", "vserver"),
        ("v-2:S", "v-2"),
        ("v:S3*", "v"),
        (f"{'p' * 32}:{'N' * 64}", "p" * 32),
    ],
)
def test_an_action_pattern_is_read(text: str, product: str | None) -> None:
    pattern = parse_action_pattern(text)

    assert pattern == ActionPattern(text)
    assert pattern.product == product


@pytest.mark.parametrize(
    "text",
    [
        "",
        "**",
        "vserver",
        "vserver:",
        ":StopServer",
        "*:StopServer",
        "v*:StopServer",
        "VServer:StopServer",
        "vserver:Stop-Server",
        "vserver:Stop Server",
        "vserver::StopServer",
        "vserver:StopServer\n",
        "vserver:StopServer/x",
        "vserver:Stöp",
        f"{'p' * 33}:StopServer",
        f"vserver:{'N' * 65}",
    ],
)
def test_anything_else_is_no_action_pattern(text: str) -> None:
    assert parse_action_pattern(text) is None


def test_an_action_pattern_is_shown_as_it_was_written() -> None:
    assert repr(ActionPattern("v:S*")) == "ActionPattern(text='v:S*', product='v')"


def test_a_catalogue_is_shown_as_its_products() -> None:
    assert repr(Catalogue({})) == "Catalogue(products={})"


def test_the_words_of_the_catalogue() -> None:
    assert set(Label) == {"List", "Read", "Write", "Tagging"}


def test_an_action_is_known_only_as_it_is_written() -> None:
    assert CATALOGUE.has_action("vserver:StopServer")
    for other in ("vserver:stopserver", "vserver:Stop*", "vserver:*", "*", "iam:StopServer", ""):
        assert not CATALOGUE.has_action(other)


def test_a_pattern_matches_some_action_of_its_product_or_none() -> None:
    def matches(text: str) -> bool:
        return CATALOGUE.matches_some_action(ActionPattern(text))

    assert matches("*")
    assert matches("vserver:*")
    assert matches("vserver:*Vol*")
    assert not matches("vserver:Create*")
    assert not matches("iam:StopServer")
    assert not matches("vstorage:*")


def test_a_pattern_of_one_product_says_nothing_of_another() -> None:
    assert ActionPattern("*").covers(ActionPattern("iam:*"))
    assert not ActionPattern("iam:*").covers(ActionPattern("*"))
    assert not ActionPattern("iam:*").overlaps(ActionPattern("vserver:*"))
    assert ActionPattern("vserver:*Server").overlaps(ActionPattern("vserver:Stop*"))
    assert not ActionPattern("iam:*").matches("iams:GetPolicy")


def test_an_api_is_found_by_prefix_and_by_identifier() -> None:
    assert CATALOGUE.find_api("vserver") is VSERVER_PRODUCT
    assert CATALOGUE.find_api("https://vserver.example") is VSERVER_PRODUCT
    assert CATALOGUE.find_api("https://crossroot.example") is IAM_PRODUCT
    for unknown in ("", "VSERVER", "https://vserver.example/", "https://other.example"):
        assert CATALOGUE.find_api(unknown) is None


def test_a_product_without_actions_has_no_pattern() -> None:
    catalogue = Catalogue.of([Product("empty", "https://empty.example")])

    assert not catalogue.matches_some_action(ActionPattern("empty:*"))
    assert not catalogue.has_action("empty:")
