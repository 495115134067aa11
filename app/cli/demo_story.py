"""The story that the demo tells: two root accounts, and a user of one working in the other.

Set up again it is the same story: the ids stay, what somebody changed is put right, and secrets
of the last time are kept as long as they work.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from app.cli.errors import CannotDo
from app.domain.policy import IMPERSONATE
from app.domain.principals import IamUser, RootUser, ServiceAccount
from app.services import accounts, client_secrets, policies, products, service_accounts
from app.services.products import CLI_CLIENT, RegisteredProduct
from app.services.runtime import Runtime
from app.tokens.key_files import make_folder, write_private_text

ACCOUNT_A, EMAIL_A = "53461", "root-a@example.com"
ACCOUNT_B, EMAIL_B = "60108", "root-b@example.com"
USERNAME = "System1"
SERVICE_ACCOUNT = "AllowAccessFromRootUserAccountA"
POLICY = "ImpersonateToRootUserAccountB"
_PASSWORD_LENGTH = 16


def tell(runtime: Runtime, vserver_url: str, before: dict[str, Any]) -> dict[str, Any]:
    """Set the story up. Returns what `var/demo.json` holds; `before` is what it held last time."""
    a = _Account(runtime, ACCOUNT_A, EMAIL_A, before.get("A"))
    b = _Account(runtime, ACCOUNT_B, EMAIL_B, before.get("B"))
    account, client_id, client_secret = _service_account(runtime, b.before)
    user, password = _user(runtime, account, a.before)
    product, product_secret = _product(runtime, vserver_url, before)
    return {
        "issuer": runtime.settings.issuer,
        "vserver": vserver_url,
        "A": {
            **a.sign_in(),
            "username": user.username,
            "password": password,
            "user_id": user.id,
        },
        "B": {
            **b.sign_in(),
            "service_account_id": account.id,
            "vrn": str(account.vrn),
            "client_id": client_id,
            "client_secret": client_secret,
        },
        "cli_client_id": CLI_CLIENT,
        "vserver_client_id": product.client_id,
        "vserver_client_secret": product_secret,
    }


class _Account:
    """A root account of the story. Raises `CannotDo` where somebody else's has its number."""

    def __init__(self, runtime: Runtime, account_id: str, email: str, before: Any) -> None:
        self.before: dict[str, Any] = before if isinstance(before, dict) else {}
        root = accounts.find_account(runtime, account_id)
        self.root: RootUser
        if root is None:
            self.password = _new_password(runtime)
            self.root = accounts.create_account(runtime, account_id, email, self.password)
            return
        if root.email != email:
            raise CannotDo(
                f"root account {account_id} is not the demo's: its e-mail is not {email}; "
                "give the demo a store of its own (CROSSROOT_DATABASE_URL)"
            )
        if not root.account.enabled:
            accounts.enable_account(runtime, account_id)
        self.root = root
        self.password = _kept_password(runtime, root, self.before.get("root_password"))

    def sign_in(self) -> dict[str, str]:
        return {
            "account_id": self.root.account.id,
            "root_email": self.root.email,
            "root_password": self.password,
        }


def _user(runtime: Runtime, account: ServiceAccount, before: dict[str, Any]) -> tuple[IamUser, str]:
    """System1 of account A, who may become B's service account."""
    users = accounts.list_users(runtime, ACCOUNT_A)
    user = next((each for each in users if each.username == USERNAME), None)
    if user is None:
        password = _new_password(runtime)
        user = accounts.create_user(runtime, ACCOUNT_A, USERNAME, password)
    else:
        password = _kept_password(runtime, user, before.get("password"))
    if policies.find(runtime, ACCOUNT_A, POLICY) is None:
        policies.create(runtime, ACCOUNT_A, POLICY, _may_become(account))
    policies.attach(runtime, POLICY, user.type.value, user.id)
    return user, password


def _service_account(runtime: Runtime, before: dict[str, Any]) -> tuple[ServiceAccount, str, str]:
    """B's service account, which may do everything with B's vServers and trusts A."""
    account, client_id, secret = _found_or_created(runtime, before.get("client_secret"))
    policies.attach(runtime, "vServerFullAccess", account.type.value, account.id)
    trust = service_accounts.find_trust(runtime, account.id, ACCOUNT_A)
    if trust is not None and (trust.condition is not None or trust.expires_at is not None):
        service_accounts.remove_trust(runtime, account.id, ACCOUNT_A)
        trust = None
    if trust is None:
        service_accounts.add_trust(runtime, account.id, ACCOUNT_A)
    return account, client_id, secret


def _found_or_created(runtime: Runtime, before: Any) -> tuple[ServiceAccount, str, str]:
    there = service_accounts.list_of_account(runtime, ACCOUNT_B)
    account = next((each for each in there if each.name == SERVICE_ACCOUNT), None)
    if account is None:
        new = service_accounts.create(runtime, ACCOUNT_B, SERVICE_ACCOUNT)
        return new.account, new.client_id, new.client_secret
    client_id = service_accounts.find_client_id(runtime, account.id)
    replace = partial(service_accounts.replace_secret, runtime, account.id)
    return account, client_id, _kept_secret(runtime, client_id, before, replace)


def _product(
    runtime: Runtime, vserver_url: str, before: dict[str, Any]
) -> tuple[RegisteredProduct, str]:
    """The vServer's own client, with its secret."""
    product = products.register(runtime, products.sample_product(), (f"{vserver_url}/callback",))
    if product.client_secret is not None:
        return product, product.client_secret
    replace = partial(products.replace_client_secret, runtime, product.client_id)
    last = before.get("vserver_client_secret")
    return product, _kept_secret(runtime, product.client_id, last, replace)


def _may_become(account: ServiceAccount) -> dict[str, Any]:
    return {
        "statements": [
            {
                "effect": "allow",
                "actions": [IMPERSONATE],
                "resources": [str(account.vrn)],
            }
        ]
    }


def _kept_password(runtime: Runtime, user: RootUser | IamUser, before: Any) -> str:
    """The password of the last time, or a new one where it is not known or not right."""
    if isinstance(before, str) and accounts.password_matches(runtime, user, before):
        return before
    password = _new_password(runtime)
    accounts.reset_password(runtime, user, password)
    return password


def _kept_secret(runtime: Runtime, client_id: str, before: Any, replace: Callable[[], str]) -> str:
    """The client secret of the last time, or a new one where it is not known or not right."""
    if isinstance(before, str) and client_secrets.check(runtime, client_id, before) is not None:
        return before
    return replace()


def _new_password(runtime: Runtime) -> str:
    return runtime.new_secret()[:_PASSWORD_LENGTH]


def read_last(path: Path) -> dict[str, Any]:
    """What was written last time; nothing where there is no such file or it is damaged."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write(path: Path, story: dict[str, Any]) -> None:
    """Write the file whole, for its owner alone."""
    make_folder(path.parent)
    write_private_text(path, json.dumps(story, indent=2) + "\n", replace=True)
