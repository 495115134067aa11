"""The circumstances of a request: the values that conditions are tested on."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain import conditions
from app.domain.conditions import Context, Value
from app.domain.principals import Principal


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the door knows of a request. A value that it does not know stays absent.

    `now` and `auth_time` are epoch seconds; `amr` the methods of the sign-in (RFC 8176).
    """

    now: float
    source_ip: str | None = None
    auth_time: int | None = None
    amr: tuple[str, ...] = ()
    external_id: str | None = None
    reason: str | None = None


def context_of(principal: Principal, circumstances: Circumstances) -> Context:
    """The condition keys of section "Condition keys" in `docs/concepts.md`.

    A sign-in age and the presence of a second factor are known only where somebody signed in:
    a machine has neither, and tests on them are unknown for it.
    """
    context: dict[str, Value] = {
        conditions.CURRENT_TIME: circumstances.now,
        conditions.PRINCIPAL_ID: principal.id,
        conditions.PRINCIPAL_NAME: principal.name,
        conditions.PRINCIPAL_ACCOUNT: principal.account.id,
        conditions.PRINCIPAL_TYPE: principal.type.value,
    }
    if circumstances.source_ip is not None:
        context[conditions.SOURCE_IP] = conditions.canonical_address(circumstances.source_ip)
    if circumstances.auth_time is not None:
        context[conditions.AUTH_AGE] = max(0.0, circumstances.now - circumstances.auth_time)
        context[conditions.MFA_PRESENT] = "mfa" in circumstances.amr
    if circumstances.external_id is not None:
        context[conditions.EXTERNAL_ID] = circumstances.external_id
    if circumstances.reason is not None:
        context[conditions.REASON] = circumstances.reason
    return context
