"""A service account's own token, for its client id and secret (RFC 6749 section 4.4)."""

from __future__ import annotations

from app.domain.catalogue import ActionPattern
from app.domain.clients import Client
from app.domain.events import Event
from app.domain.limits import TokenLimits
from app.services import account_settings, remembered
from app.services.apis import Reach, products_named, reach_of, require_held
from app.services.issuing import Grantable
from app.services.refusals import Refusal, Refused
from app.services.runtime import Runtime


def validate(
    runtime: Runtime,
    client: Client,
    patterns: tuple[ActionPattern, ...] | None,
    apis: tuple[str, ...],
    source_ip: str | None,
) -> Grantable:
    """What the grant would authorize; `patterns` is None where no scope was sent.

    Raises `Refused` where the client is no service account's, for an unknown API, and for a
    scope that goes beyond the service account's policies.
    """
    account = client.service_account
    if account is None:
        raise Refused(
            Refusal.UNAUTHORIZED_CLIENT, "only a service account's client may use this grant"
        )
    with runtime.database.glance() as connection:
        rights = remembered.policies_of(runtime, connection, client.epoch, account)
        catalogue = runtime.catalogue(connection, client.epoch)
        lifetime = account_settings.machine_token_lifetime_of(
            runtime, connection, client.epoch, account
        )
    asked = patterns or ()

    def work_out() -> Reach:
        require_held(asked, rights, TokenLimits())
        named = products_named(apis, catalogue)
        limits = TokenLimits(patterns)
        return reach_of(account.account.id, rights, limits, asked, named, catalogue)

    # The same in every request of an epoch.
    reach = runtime.facts.get(client.epoch, ("reach", account.id, patterns, apis), work_out)
    now = runtime.now()
    return Grantable(
        event=Event.TOKEN_ISSUE,
        client=client,
        subject=account,
        audience=reach.audience,
        granted=reach.granted,
        issued_at=now,
        expires_at=now + lifetime,
        epoch=client.epoch,
        patterns=None if patterns is None else tuple(pattern.text for pattern in patterns),
        source_ip=source_ip,
    )
