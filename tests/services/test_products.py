"""Products: the operator's file read with care, and registered once and again."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import app.services
from app.domain.catalogue import IAM, Label
from app.domain.documents import compile_document
from app.services import client_secrets, products
from app.services.administration import Conflict, Invalid, NotFound
from app.services.products import ProductFile, RegisteredProduct
from tests.support.observation import grown, newest_event, row_counts
from tests.support.world import VSERVER, World, claims_of

SHIPPED = Path(app.services.__file__).parent / "shipped"
VSTORAGE = """
name = "vstorage"
display_name = "vStorage"
identifier = "https://vstorage.example"

[[actions]]
name = "ListBuckets"
label = "List"
resources = ["bucket"]

[[actions]]
name = "DeleteBucket"
label = "Write"
"""
#: What the management API is named after (one call, one action).
IAM_ACTIONS = {
    *(
        f"{verb}{noun}"
        for verb in ("Create", "Get", "List", "Update", "Delete")
        for noun in ("IamUser", "Group", "ServiceAccount", "Policy", "OAuthClient")
    ),
    "ImpersonateServiceAccount",
    "AttachPolicy",
    "DetachPolicy",
    "AddGroupMember",
    "CreateSecret",
    "ResetSecret",
    "ResetPassword",
    "AddTrustedRelationship",
    "RemoveTrustedRelationship",
    "Simulate",
    "ListEvents",
    "GetDecision",
    "GrantBeyondOwn",
}


def written(folder: Path, text: str) -> Path:
    path = folder / "product.toml"
    path.write_text(text)
    return path


def vstorage(folder: Path, *changes: tuple[str, str]) -> ProductFile:
    text = VSTORAGE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return products.read_file(written(folder, text))


def register(world: World, file: ProductFile) -> RegisteredProduct:
    return products.register(world.runtime, file, ("https://vstorage.example/callback",))


# ----------------------------------------------------------------------------------- the file


def test_a_file_says_what_a_product_can_do(tmp_path: Path) -> None:
    file = vstorage(tmp_path)
    product = file.product()

    assert file.display_name == "vStorage"
    assert (product.name, product.identifier) == ("vstorage", "https://vstorage.example")
    assert [(each.name, each.label, each.resources) for each in product.actions] == [
        ("ListBuckets", Label.LIST, ("bucket",)),
        ("DeleteBucket", Label.WRITE, ()),
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        pytest.param('name = "vstorage"', "", "name: Field required", id="no name"),
        pytest.param('"vstorage"', '"vStorage"', "name: String should match", id="capital"),
        pytest.param('"vstorage"', '"v:s"', "name: String should match", id="colon"),
        pytest.param('"vstorage"', f'"{"v" * 33}"', "name: String should match", id="long name"),
        pytest.param('"vStorage"', '""', "display_name: String should have at least 1", id="title"),
        pytest.param(
            '"https://vstorage.example"', '"vstorage"', "identifier: .*absolute URI", id="URI"
        ),
        pytest.param("example", "example#a", "identifier: .*without fragment", id="fragment"),
        pytest.param("example", "exa mple", "identifier: .*absolute URI", id="space"),
        pytest.param("example", "x" * 256, "identifier: .*at most 255", id="long URI"),
        pytest.param('"ListBuckets"', '"listBuckets"', r"actions\.0\.name: ", id="action's name"),
        pytest.param('"ListBuckets"', '"List*"', r"actions\.0\.name: ", id="star in an action"),
        pytest.param('"Write"', '"Fly"', r"actions\.1\.label: .*'Tagging'", id="label"),
        pytest.param('["bucket"]', '["Bucket!"]', r"actions\.0\.resources\.0: ", id="resource"),
        pytest.param('["bucket"]', '"bucket"', r"actions\.0\.resources: ", id="no list"),
        pytest.param('label = "List"', 'label = "List"\nodd = 1', r"actions\.0\.odd: ", id="field"),
        pytest.param(
            'name = "vstorage"', 'name = "vstorage"\nodd = 1', "odd: Extra", id="top field"
        ),
        pytest.param(
            '"DeleteBucket"', '"ListBuckets"', "actions: .*ListBuckets.*more than once", id="twice"
        ),
    ],
)
def test_a_fault_in_the_file_is_named_with_its_place(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    with pytest.raises(Invalid, match=problem) as refused:
        vstorage(tmp_path, (old, new))

    assert str(refused.value).startswith(f"{tmp_path}/product.toml: ")
    assert "\n" not in str(refused.value)


def test_a_product_without_actions_is_refused(tmp_path: Path) -> None:
    head = VSTORAGE.partition("[[actions]]")[0]
    for text in (head, head + "actions = []"):
        with pytest.raises(Invalid, match="actions: "):
            products.read_file(written(tmp_path, text))


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        vstorage(tmp_path, ('"vstorage"', '"V"'), ('"Write"', '"Fly"'))

    assert "name: " in str(refused.value)
    assert "actions.1.label: " in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"cannot read .*absent\.toml: No such file"):
        products.read_file(tmp_path / "absent.toml")
    with pytest.raises(Invalid, match=r"cannot read .*: Is a directory"):
        products.read_file(tmp_path)
    with pytest.raises(Invalid, match=r"product\.toml is not valid TOML: .*line 1"):
        products.read_file(written(tmp_path, "name = ?"))
    (tmp_path / "product.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(Invalid, match="is not valid TOML"):
        products.read_file(tmp_path / "product.toml")


# -------------------------------------------------------------------------------- registering


def test_a_new_product_gets_a_client_that_is_shown_its_secret_once(
    world: World, tmp_path: Path
) -> None:
    before = row_counts(world)
    registered = register(world, vstorage(tmp_path))

    assert registered.client_secret is not None
    client = client_secrets.check(world.runtime, registered.client_id, registered.client_secret)
    assert client is not None
    assert (client.name, client.product, client.account_id) == ("vStorage", "vstorage", None)
    assert client.redirect_uris == ("https://vstorage.example/callback",)
    assert not client.may_use("client_credentials")
    assert grown(before, row_counts(world)) == {
        "oauth_clients": 1,
        "client_secrets": 1,
        "audit_events": 1,
    }
    event = newest_event(world)
    assert (event.event, event.resource) == ("product:add", "product/vstorage")


def test_registering_again_keeps_the_client_and_takes_the_new_catalogue(
    world: World, tmp_path: Path
) -> None:
    first = register(world, vstorage(tmp_path))
    newer = vstorage(
        tmp_path, ("DeleteBucket", "TagBucket"), ("vstorage.example", "vstorage.example/v2")
    )

    second = products.register(world.runtime, newer)

    assert (second.client_id, second.client_secret) == (first.client_id, None)
    assert second.product == newer.product()
    with world.runtime.database.read() as connection:
        catalogue = world.runtime.catalogue(connection)
    assert catalogue.products["vstorage"] == newer.product()
    secret = first.client_secret or ""
    client = client_secrets.check(world.runtime, first.client_id, secret)
    assert client is not None
    assert client.redirect_uris == ("https://vstorage.example/callback",)


def test_an_identifier_belongs_to_one_product(world: World, tmp_path: Path) -> None:
    before = row_counts(world)
    impostor = vstorage(tmp_path, ("https://vstorage.example", VSERVER))

    with pytest.raises(Conflict, match=f"{VSERVER} is the identifier of product vserver"):
        register(world, impostor)

    assert row_counts(world) == before


@pytest.mark.parametrize("identifier", ["http://127.0.0.1:8000", "http://127.0.0.1:8000/"])
def test_the_issuer_shares_its_audience_with_nobody(
    world: World, tmp_path: Path, identifier: str
) -> None:
    before = row_counts(world)
    with pytest.raises(Invalid, match="the issuer's own"):
        register(world, vstorage(tmp_path, ("https://vstorage.example", identifier)))

    assert row_counts(world) == before


@pytest.mark.parametrize("change", [('"vstorage"', '"iam"'), ("https://vstorage.example", "")])
def test_iam_is_nobody_elses_product(world: World, tmp_path: Path, change: tuple[str, str]) -> None:
    with pytest.raises(Invalid, match="iam is the server's own API"):
        register(world, vstorage(tmp_path, change))


def test_replacing_a_products_secret_ends_the_old_one(world: World) -> None:
    new = products.replace_client_secret(world.runtime, world.product_client_id)

    def check(secret: str) -> bool:
        return client_secrets.check(world.runtime, world.product_client_id, secret) is not None

    assert check(new)
    assert not check(world.product_client_secret)
    event = newest_event(world)
    assert event.event == "oauth-client:secret:create"
    assert event.resource == f"oauth-client/{world.product_client_id}"
    assert event.owner_account_id is None


@pytest.mark.parametrize("which", ["nobody", "crossroot-cli", "machine"])
def test_only_a_products_client_gets_a_new_secret(world: World, which: str) -> None:
    before = row_counts(world)
    client_id = world.client_id if which == "machine" else which

    with pytest.raises(NotFound, match=f"no product has the client {client_id}"):
        products.replace_client_secret(world.runtime, client_id)
    assert row_counts(world) == before
    assert world.machine_token().status_code == 200


# ------------------------------------------------------------------------------------ shipped


@pytest.mark.parametrize("name", ["iam", "vserver"])
def test_a_shipped_catalogue_has_each_action_once(name: str) -> None:
    file = products.read_file(SHIPPED / f"{name}.toml")
    actions = [action.name for action in file.actions]

    assert file.name == name
    assert len(actions) == len(set(actions))
    assert all(action.resources for action in file.actions)


def test_the_servers_own_api_has_every_action_that_the_management_api_is_named_after() -> None:
    actions = [each.name for each in products.read_file(SHIPPED / "iam.toml").actions]

    assert IAM_ACTIONS - set(actions) == set()
    assert [name for name in IAM_ACTIONS if actions.count(name) != 1] == []


def test_reading_and_changing_are_labelled_apart() -> None:
    for name in ("iam", "vserver"):
        for action in products.read_file(SHIPPED / f"{name}.toml").actions:
            reads = re.match("List|Get", action.name) is not None or action.name == "Simulate"
            assert (action.label in (Label.LIST, Label.READ)) == reads, action


def test_the_managed_policies_are_those_that_are_promised(world: World) -> None:
    managed = tomllib.loads((SHIPPED / "policies.toml").read_text())["policies"]
    with world.runtime.database.read() as connection:
        catalogue = world.runtime.catalogue(connection)
    for policy in managed:
        compile_document({"statements": policy["statements"]}, catalogue)

    assert {policy["name"]: policy["statements"][0]["actions"] for policy in managed} == {
        "vServerFullAccess": ["vserver:*"],
        "vServerReadOnlyAccess": ["vserver:List*", "vserver:Get*"],
        "IAMFullAccess": ["iam:*"],
        "IAMReadOnlyAccess": ["iam:List*", "iam:Get*"],
    }
    assert all(len(policy["statements"]) == 1 for policy in managed)
    assert len({policy["id"] for policy in managed}) == len(managed)
    assert all(len(policy["description"]) <= 256 for policy in managed)


def test_installing_again_changes_nothing(world: World) -> None:
    def state() -> list[Any]:
        return [
            sorted(map(tuple, world.rows(f"SELECT * FROM {table}")), key=str)
            for table in (
                "products",
                "product_actions",
                "policies",
                "policy_versions",
                "oauth_clients",
                "client_secrets",
                "policy_attachments",
            )
        ]

    before, token = state(), world.machine_token(scope="vserver:List*")
    products.install_shipped(world.runtime)

    assert state() == before
    assert claims_of(token.json["access_token"])["aud"] == [VSERVER]
    assert world.machine_token(scope="vserver:List*").status_code == 200


def test_installing_does_not_take_back_what_the_operator_registered(world: World) -> None:
    """The operator's vServer runs at its own address; a newer Crossroot must not move it."""
    own = products.sample_product().model_copy(update={"identifier": "https://vserver.corp"})
    products.register(world.runtime, own)

    products.install_shipped(world.runtime)

    with world.runtime.database.read() as connection:
        catalogue = world.runtime.catalogue(connection)
    assert catalogue.products["vserver"].identifier == "https://vserver.corp"


def test_the_shipped_command_line_is_public_and_on_loopback(world: World) -> None:
    client = client_secrets.check(world.runtime, "crossroot-cli", None)

    assert client is not None
    assert client.is_public
    assert client.redirect_uris == ("http://127.0.0.1/callback", "http://[::1]/callback")
    assert client_secrets.check(world.runtime, "crossroot-cli", "") is None


def test_the_issuers_api_is_the_issuer_itself(world: World) -> None:
    with world.runtime.database.read() as connection:
        catalogue = world.runtime.catalogue(connection)

    assert catalogue.products[IAM].identifier == world.runtime.settings.issuer
    assert catalogue.find_api(world.runtime.settings.issuer) == catalogue.products[IAM]
