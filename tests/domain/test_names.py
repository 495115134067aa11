"""Names of resources and the wildcard language: what is read, what is refused, what matches."""

from __future__ import annotations

import pytest

from app.domain.names import Glob, MalformedName, Vrn, VrnPattern, service_account_vrn

VRN = "iam::60108:service-account/sa-1f2e"


def test_a_vrn_is_read_and_written_unchanged() -> None:
    vrn = Vrn.parse(VRN)

    assert vrn == Vrn("iam", "60108", "service-account", "sa-1f2e")
    assert str(vrn) == VRN


def test_the_name_of_a_service_account() -> None:
    assert str(service_account_vrn("60108", "sa-1f2e")) == VRN


def test_a_call_on_all_of_a_type_has_a_star_for_the_id() -> None:
    assert Vrn.parse("vserver::60108:server/*").id == "*"


MALFORMED = {
    "empty": "",
    "a lone colon": ":",
    "no product": "::60108:server/web-1",
    "one colon instead of two": "vserver:60108:server/web-1",
    "three colons": "vserver:::server/web-1",
    "no account": "vserver:::server/web-1",
    "no type": "vserver::60108:/web-1",
    "no id": "vserver::60108:server/",
    "no slash": "vserver::60108:server",
    "no colon before the type": "vserver::60108",
    "a second slash": "vserver::60108:server/web/1",
    "a second colon": "vserver::60108:server:web/1",
    "an account with a letter": "vserver::6010a:server/web-1",
    "an account in Arabic digits": "vserver::٦٠١٠٨:server/web-1",
    "an account of 21 digits": f"vserver::{'1' * 21}:server/web-1",
    "a product of 33 characters": f"{'p' * 33}::60108:server/web-1",
    "a type of 65 characters": f"vserver::60108:{'t' * 65}/web-1",
    "a product in capitals": "VSERVER::60108:server/web-1",
    "a type in capitals": "vserver::60108:Server/web-1",
    "a space": "vserver::60108:server/web 1",
    "a space behind": "vserver::60108:server/web-1 ",
    "a line break behind": "vserver::60108:server/web-1\n",
    "a zero byte": "vserver::60108:server/web-1\0",
    "a percent sign": "vserver::60108:server/web%2F1",
    "an id of 129 characters": f"vserver::60108:server/{'x' * 129}",
    "a whole that is too long": f"vserver::60108:server/{'x' * 300}",
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_name_is_refused_as_vrn_and_as_pattern(text: str) -> None:
    with pytest.raises(MalformedName, match="expected <product>::<rootAccountId>:<type>/<id>"):
        Vrn.parse(text)
    with pytest.raises(MalformedName, match="expected <product>::<rootAccountId>:<type>/<id>"):
        VrnPattern.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "*::60108:server/web-1",
        "vserver::*:server/web-1",
        "vserver::60108:*/web-1",
        "vserver::60108:server/web-*",
    ],
)
def test_a_pattern_is_no_name(text: str) -> None:
    assert VrnPattern.parse(text).text == text
    with pytest.raises(MalformedName):
        Vrn.parse(text)


@pytest.mark.parametrize("text", ["vserver::60108:server/w?b", "vserver::[0-9]:a/b", "**", "*:*"])
def test_a_star_is_the_only_wildcard(text: str) -> None:
    with pytest.raises(MalformedName):
        VrnPattern.parse(text)


def test_the_longest_name_is_read() -> None:
    text = f"{'p' * 32}::{'1' * 20}:{'t' * 64}/{'i' * 128}"

    assert str(Vrn.parse(text)) == text
    assert VrnPattern.parse(text).matches(Vrn.parse(text))


@pytest.mark.parametrize("text", ["p::1:t/i", "p-2::1:t-2/A.z_0-9"])
def test_a_name_may_be_short_and_have_digits_and_signs(text: str) -> None:
    assert str(Vrn.parse(text)) == text
    assert VrnPattern.parse(text).matches(Vrn.parse(text))


def test_a_name_is_repeated_unless_it_is_longer_than_any() -> None:
    text = "vserver::60108:server/".ljust(256, "x")

    with pytest.raises(MalformedName, match=rf"^'{text}' is not a resource name"):
        Vrn.parse(text)
    with pytest.raises(MalformedName, match=r"^longer than 256 characters"):
        Vrn.parse(f"{text}x")


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        (VRN, VRN, True),
        (VRN, VRN + "0", False),
        ("*", VRN, True),
        ("*::*:*/*", VRN, True),
        ("iam::60108:*/*", VRN, True),
        ("iam::601*:service-*/sa-*", VRN, True),
        ("i*m::60108:service-account/*", VRN, True),
        ("*iam::60108:service-account/*", VRN, True),
        ("vserver::60108:service-account/sa-1f2e", VRN, False),
        ("iam::60109:service-account/sa-1f2e", VRN, False),
        ("iam::60108:group/sa-1f2e", VRN, False),
        # A star stays inside its part.
        ("iam::60108:*/1f2e", VRN, False),
        ("*::60108:service-account/x", VRN, False),
        ("vserver::60108:server/web-1", "vserver::60108:server/*", False),
        ("vserver::60108:server/*", "vserver::60108:server/*", True),
    ],
)
def test_a_pattern_matches_part_by_part(pattern: str, name: str, expected: bool) -> None:
    assert VrnPattern.parse(pattern).matches(Vrn.parse(name)) is expected


@pytest.mark.parametrize(
    ("pattern", "account"),
    [
        ("iam::60108:*/*", "60108"),
        ("*::60108:*/*", "60108"),
        ("*", None),
        ("iam::*:service-account/sa-1", None),
        ("iam::6010*:service-account/sa-1", None),
        ("iam::60108*:service-account/sa-1", None),
    ],
)
def test_an_account_is_spelled_out_or_not(pattern: str, account: str | None) -> None:
    assert VrnPattern.parse(pattern).literal_account == account


@pytest.mark.parametrize(
    ("pattern", "whole"),
    [
        ("*", True),
        ("vserver::60108:*/*", True),
        ("vserver::60108:**/***", True),
        ("*::*:*/*", True),
        ("v*::60*:*/*", True),
        ("vserver::60108:server/*", False),
        ("vserver::60108:x/*", False),
        ("vserver::60108:*/x", False),
        ("vserver::60108:*/a*", False),
        ("iam::60108:*/*", False),
        ("vserver::60109:*/*", False),
    ],
)
def test_a_pattern_takes_in_a_whole_product_or_not(pattern: str, whole: bool) -> None:
    assert VrnPattern.parse(pattern).is_whole_product("vserver", "60108") is whole


@pytest.mark.parametrize(
    ("pattern", "touches"),
    [("*", True), ("iam::60108:a/b", True), ("iam::6*:a/b", True), ("iam::60109:a/b", False)],
)
def test_a_pattern_touches_an_account_or_not(pattern: str, touches: bool) -> None:
    assert VrnPattern.parse(pattern).touches_account("60108") is touches


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("**", "", True),
        ("abc", "abc", True),
        ("abc", "abcd", False),
        ("a*", "a", True),
        ("*a", "ba", True),
        ("a*a", "a", False),  # one letter cannot be both first and last
        ("a*a", "aa", True),
        ("ab*ba", "aba", False),
        ("a*b*c", "a-b-b-c", True),
        ("a*bb*c", "a-b-b-c", False),
        ("a*bb*bb*c", "a-bb-b-c", False),
        ("*a*b", "ab-a", False),
        ("*a*b*", "aba", True),  # the first "a" is as good as any
        ("*ab*b", "ab", False),  # the end is not there for the middle
        ("a.c", "abc", False),
        ("A", "a", False),
        ("*", "line\nbreak", True),
    ],
)
def test_a_star_is_any_run_of_characters(pattern: str, text: str, expected: bool) -> None:
    assert Glob(pattern).matches(text) is expected


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ("*", "a*", True),
        ("*", "*", True),
        ("a*", "a", True),
        ("a*", "ab*", True),
        ("*a*", "ba*c", True),
        ("a**", "a*", True),
        ("a*", "a**", True),
        ("a*", "*", False),
        ("ab*", "a*", False),
        ("a*b", "a*", False),
        ("a", "a*", False),
        ("a*a", "a", False),
        ("*\0", "*", False),  # no character of ours may pass for their star
    ],
)
def test_a_pattern_covers_another_or_not(wide: str, narrow: str, expected: bool) -> None:
    assert Glob(wide).covers(Glob(narrow)) is expected


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("a*", "*b", True),
        ("a*", "b*", False),
        ("*a", "*b", False),
        ("*ab", "*b", True),
        ("a*c", "ab*", True),
        ("a*b*c", "ac", False),
        ("a*b*c", "*x*", True),
        ("ab", "ab", True),
        ("ab", "a", False),
        ("", "*", True),
        ("a*a", "a", False),
    ],
)
def test_two_patterns_overlap_or_not(left: str, right: str, expected: bool) -> None:
    assert Glob(left).overlaps(Glob(right)) is expected
    assert Glob(right).overlaps(Glob(left)) is expected


def test_a_pattern_is_shown_as_it_was_written() -> None:
    assert repr(Glob("a*b")) == "Glob(text='a*b')"


def test_a_literal_is_told_from_a_pattern() -> None:
    assert Glob("abc").is_literal
    assert not Glob("ab*").is_literal
