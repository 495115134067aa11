"""The story that the Node tests find: the guide's two root accounts, and clients of every kind."""

from __future__ import annotations

import time
from typing import Any

from joserfc.jwk import ECKey, RSAKey

from app.cli.init import prepare
from app.cli.state import opened
from app.services import accounts, client_assertions, clients, policies, products, service_accounts
from app.services.clients import EXCHANGE, ClientRegistration
from app.services.runtime import Runtime
from app.settings import Settings
from app.tokens.claims import access_token_claims
from tests.support.world import allow

WEB_APP = "https://app.example/callback"
SIGNED_OUT = "https://app.example/signed-out"


def tell(settings: Settings) -> dict[str, Any]:
    """Set up the store that the settings name. Returns what the tests have to know, as JSON."""
    prepare(settings)
    with opened(settings) as runtime:
        product = products.register(runtime, products.sample_product())
        accounts.create_account(runtime, "53461", "root-a@example.com", "root-a-password")
        accounts.create_account(runtime, "60108", "root-b@example.com", "root-b-password")
        user = accounts.create_user(runtime, "53461", "System1", "System1-password")
        machine = service_accounts.create(runtime, "60108", "AllowAccessFromRootUserAccountA")
        policies.attach(runtime, "vServerFullAccess", "service-account", machine.account.id)
        service_accounts.add_trust(runtime, machine.account.id, "53461")
        vrn = str(machine.account.vrn)
        policies.create(runtime, "53461", "Become", allow("iam:ImpersonateServiceAccount", vrn))
        policies.attach(runtime, "Become", "iam-user", user.id)
        return {
            "issuer": settings.issuer,
            "vserver": {
                "identifier": product.product.identifier,
                "client_id": product.client_id,
                "client_secret": product.client_secret,
            },
            "A": {
                "account_id": "53461",
                "root_email": "root-a@example.com",
                "root_password": "root-a-password",
                "username": "System1",
                "password": "System1-password",
                "user_id": user.id,
            },
            "B": {
                "account_id": "60108",
                "service_account_id": machine.account.id,
                "vrn": vrn,
                "client_id": machine.client_id,
                "client_secret": machine.client_secret,
            },
            "cli_client_id": "crossroot-cli",
            "web": _web_app(runtime),
            "keyed_web": _web_app_with_a_key(runtime),
            "keyed": _service_account_with_a_key(runtime),
            "expired_token": _expired_token(
                runtime, machine.account.id, product.product.identifier
            ),
        }


def _web_app(runtime: Runtime) -> dict[str, Any]:
    """A confidential client of account A, whose ID tokens are signed with RS256."""
    registered = clients.register(
        runtime,
        "53461",
        ClientRegistration(
            name="Web app",
            redirect_uris=(WEB_APP,),
            grant_types=("authorization_code", "refresh_token", EXCHANGE),
            id_token_alg="RS256",
            post_logout_redirect_uris=(SIGNED_OUT,),
        ),
    )
    return {
        "client_id": registered.client.id,
        "client_secret": registered.client_secret,
        "redirect_uri": WEB_APP,
        "post_logout_redirect_uri": SIGNED_OUT,
    }


def _web_app_with_a_key(runtime: Runtime) -> dict[str, Any]:
    """The like, which proves itself by an RSA key."""
    key = RSAKey.generate_key(2048, private=True)
    registered = clients.register(
        runtime,
        "53461",
        ClientRegistration(
            name="Web app with a key",
            redirect_uris=(WEB_APP,),
            auth_method="private_key_jwt",
            jwks={"keys": [key.as_dict(private=False)]},
        ),
    )
    return {
        "client_id": registered.client.id,
        "key": key.as_dict(private=True),
        "redirect_uri": WEB_APP,
    }


def _service_account_with_a_key(runtime: Runtime) -> dict[str, Any]:
    key = ECKey.generate_key("P-256", private=True)
    machine = service_accounts.create(runtime, "60108", "Keyed")
    policies.attach(runtime, "vServerReadOnlyAccess", "service-account", machine.account.id)
    client_assertions.set_keys(runtime, machine.client_id, {"keys": [key.as_dict(private=False)]})
    return {
        "client_id": machine.client_id,
        "service_account_id": machine.account.id,
        "key": key.as_dict(private=True),
    }


def _expired_token(runtime: Runtime, subject: str, audience: str) -> str:
    """Signed by this server's own key, and over since a minute ago."""
    now = int(time.time())
    return runtime.issuer.sign_access_token(
        access_token_claims(
            issuer=runtime.settings.issuer,
            subject=subject,
            audience=[audience],
            client_id="crossroot-cli",
            account_id="60108",
            user_type="service-account",
            issued_at=now - 3660,
            expires_at=now - 60,
            token_id="a-token-of-yesterday",
            scope="vserver:ListServers",
            evaluate=False,
            actor=None,
            decision_id=None,
            auth_time=None,
            amr=None,
        )
    )
