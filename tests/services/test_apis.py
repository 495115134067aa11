"""Which APIs a token is for (RFC 8707), and that none of it goes beyond what is held."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from app.domain.catalogue import ActionPattern, Catalogue
from app.domain.limits import TokenLimits
from app.domain.policy import AttachedPolicy
from app.services.apis import Reach, products_named, reach_of, require_held
from app.services.refusals import Refusal, Refused
from tests.support.policies import CATALOGUE, IAM_PRODUCT, VSERVER_PRODUCT, allow, document, policy

ISSUER = IAM_PRODUCT.identifier
VSERVER = VSERVER_PRODUCT.identifier
FULL = policy(allow(["iam:*", "vserver:*"]))
SERVERS = policy(allow("vserver:*"))


def patterns(*texts: str) -> tuple[ActionPattern, ...]:
    return tuple(ActionPattern(text) for text in texts)


def reach(
    policies: Sequence[AttachedPolicy],
    *asked: str,
    named: tuple[str, ...] = (),
    within: tuple[str, ...] | None = None,
    limits: TokenLimits | None = None,
    catalogue: Catalogue = CATALOGUE,
) -> Reach:
    wanted = patterns(*asked)
    if limits is None:
        limits = TokenLimits(wanted or None)
    return reach_of("60108", policies, limits, wanted, named, catalogue, within)


def scope_of(found: Reach) -> list[str]:
    return [pattern.text for pattern in found.granted.patterns]


# ------------------------------------------------------------------------------------- naming


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ((), ()),
        (("vserver",), ("vserver",)),
        ((VSERVER,), ("vserver",)),
        (("vserver", VSERVER, "vserver"), ("vserver",)),
        (("iam",), ("iam",)),
        ((ISSUER, "iam"), ("iam",)),
    ],
)
def test_a_product_is_named_by_prefix_or_identifier(
    names: tuple[str, ...], found: tuple[str, ...]
) -> None:
    assert products_named(names, CATALOGUE) == found


@pytest.mark.parametrize(
    "name", ["vdisk", VSERVER + "/", VSERVER.upper(), "*", "vserver:*", "VSERVER"]
)
def test_a_name_that_nobody_registered_is_refused(name: str) -> None:
    with pytest.raises(Refused) as refused:
        products_named(("vserver", name), CATALOGUE)

    assert refused.value.refusal is Refusal.UNKNOWN_API
    assert name not in refused.value.message


@pytest.mark.parametrize("names", [("iam", "vserver"), (VSERVER, ISSUER)])
def test_the_issuer_shares_a_token_with_nobody(names: tuple[str, ...]) -> None:
    with pytest.raises(Refused) as refused:
        products_named(names, CATALOGUE)

    assert refused.value.refusal is Refusal.API_WIDENS


# ------------------------------------------------------------------------------------ holding


@pytest.mark.parametrize("asked", ["vserver:*", "vserver:List*", "vserver:StopServer"])
def test_what_is_held_may_be_asked_for(asked: str) -> None:
    require_held(patterns(asked), (SERVERS,), TokenLimits())


@pytest.mark.parametrize(
    ("asked", "limits"),
    [
        ("*", None),
        ("iam:*", None),
        ("iam:ImpersonateServiceAccount", None),
        ("vserver:*", ("vserver:List*",)),
        ("vserver:StopServer", ("vserver:List*",)),
        ("vserver:List*", ()),
    ],
)
def test_what_is_not_held_is_refused_by_name(asked: str, limits: tuple[str, ...] | None) -> None:
    bounds = TokenLimits(None if limits is None else patterns(*limits))

    with pytest.raises(Refused, match="goes beyond") as refused:
        require_held(patterns("vserver:ListServers", asked), (SERVERS,), bounds)
    assert refused.value.refusal is Refusal.SCOPE_WIDENS


def test_nothing_asked_for_is_always_held() -> None:
    require_held((), (), TokenLimits(()))


# -------------------------------------------------------------------------------------- reach


def test_without_an_api_the_token_is_for_those_of_its_scope() -> None:
    assert reach((SERVERS,)) == Reach((VSERVER,), reach((SERVERS,)).granted)
    assert scope_of(reach((SERVERS,))) == ["vserver:*"]
    assert reach((SERVERS,), "vserver:List*").audience == (VSERVER,)
    assert scope_of(reach((SERVERS,), "vserver:List*")) == ["vserver:List*"]


def test_the_issuers_api_steps_back_unless_it_is_asked_for() -> None:
    assert reach((FULL,)).audience == (VSERVER,)
    assert reach((FULL,), "iam:Get*").audience == (ISSUER,)
    assert reach((policy(allow("iam:*")),)).audience == (ISSUER,)


def test_nothing_in_scope_is_a_token_for_the_issuer_that_authorizes_nothing() -> None:
    found = reach(())

    assert found.audience == (ISSUER,)
    assert (scope_of(found), found.granted.evaluate) == ([], False)


def test_a_known_api_without_any_right_gives_a_token_that_authorizes_nothing_there() -> None:
    found = reach((), named=("vserver",))

    assert found.audience == (VSERVER,)
    assert (scope_of(found), found.granted.evaluate) == ([], False)


def test_a_narrower_right_is_left_to_evaluation() -> None:
    found = reach((policy(allow("vserver:*", "vserver::60108:server/1")),), named=("vserver",))

    assert (scope_of(found), found.granted.evaluate) == ([], True)
    inline = TokenLimits(None, (document(allow("vserver:List*")),))
    assert reach((SERVERS,), limits=inline).granted.evaluate
    assert scope_of(reach((SERVERS,), limits=inline)) == []


def test_two_products_of_one_scope_are_one_audience() -> None:
    vstorage = Catalogue.of(
        (*CATALOGUE.products.values(), type(VSERVER_PRODUCT)("vstorage", "https://s.example"))
    )
    found = reach((SERVERS,), named=("vserver", "vstorage"), catalogue=vstorage)

    assert found.audience == (VSERVER, "https://s.example")
    assert scope_of(found) == ["vserver:*"]


def test_asking_for_the_issuers_and_anothers_actions_at_once_is_refused() -> None:
    with pytest.raises(Refused, match="one at a time") as refused:
        reach((FULL,), "iam:Get*", "vserver:List*")
    assert refused.value.refusal is Refusal.SCOPE_WIDENS


# ------------------------------------------------------------------ within what a token is for


def test_a_token_for_an_api_stays_there() -> None:
    assert reach((FULL,), within=("vserver",)).audience == (VSERVER,)
    assert reach((FULL,), within=("vserver",), named=("vserver",)).audience == (VSERVER,)
    # No right is left there: still the API's, and never the issuer's.
    assert reach((), within=("vserver",)).audience == (VSERVER,)
    assert reach((policy(allow("iam:*")),), within=("vserver",)).audience == (VSERVER,)


@pytest.mark.parametrize(
    ("named", "within"),
    [
        (("iam",), ("vserver",)),
        (("vserver",), ("iam",)),
        (("vserver",), ()),
        # The API of the token is not registered any more, or at another address.
        ((), ()),
    ],
)
def test_a_token_for_an_api_does_not_get_out_of_it(
    named: tuple[str, ...], within: tuple[str, ...]
) -> None:
    with pytest.raises(Refused) as refused:
        reach((FULL,), named=named, within=within)
    assert refused.value.refusal is Refusal.API_WIDENS
