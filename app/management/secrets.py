"""Secrets of service accounts: `/accounts-api/v1/service-accounts/{id}/secrets`."""

from __future__ import annotations

from pydantic import Field

from app.management.models import Empty, Model, Timestamp, timestamp
from app.management.operations import Call, Operation
from app.services import service_account_secrets
from app.services.service_account_secrets import MOST_LIVE, NewSecret

_ONE_ACCOUNT = "/accounts-api/v1/service-accounts/{serviceAccountId}"
_PATH = _ONE_ACCOUNT + "/secrets"


class SecretShown(Model):
    """A live secret, without itself."""

    id: str
    created_at: Timestamp


class SecretsShown(Model):
    """The live secrets, oldest first."""

    data: list[SecretShown] = Field(max_length=MOST_LIVE)


class NewSecretShown(SecretShown):
    """A new secret. It is in this answer alone, and in no replay.

    Tokens that were got by a secret which is deleted or replaced live on until they expire:
    disabling the service account ends them at once.
    """

    client_secret: str | None = Field(None, description="Shown this once.")


def _shown_once(new: NewSecret) -> NewSecretShown:
    return NewSecretShown(
        id=new.id, created_at=timestamp(new.created_at), client_secret=new.client_secret
    )


def _list(call: Call) -> SecretsShown:
    found = service_account_secrets.list_live(
        call.runtime, call.caller, call.ids["serviceAccountId"]
    )
    return SecretsShown(
        data=[SecretShown(id=each.id, created_at=timestamp(each.created_at)) for each in found]
    )


def _create(call: Call) -> NewSecret:
    return service_account_secrets.create(call.runtime, call.caller, call.ids["serviceAccountId"])


def _delete(call: Call) -> None:
    service_account_secrets.delete(
        call.runtime, call.caller, call.ids["serviceAccountId"], call.ids["secretId"]
    )


def _reset(call: Call) -> NewSecret:
    return service_account_secrets.reset(call.runtime, call.caller, call.ids["serviceAccountId"])


OPERATIONS = (
    Operation(
        "GET",
        _PATH,
        "listSecrets",
        "When the live secrets of a service account were made",
        "iam:GetServiceAccount",
        _list,
        lambda result: result,
        answer=SecretsShown,
    ),
    Operation(
        "POST",
        _PATH,
        "createSecret",
        f"Make another secret for a service account; {MOST_LIVE} may live at a time",
        "iam:CreateSecret",
        _create,
        _shown_once,
        answer=NewSecretShown,
        body=Empty,
        status=201,
        once=("clientSecret",),
    ),
    Operation(
        "DELETE",
        _PATH + "/{secretId}",
        "deleteSecret",
        "Retire a secret; tokens that it got live on until they expire",
        "iam:DeleteSecret",
        _delete,
        status=204,
    ),
    Operation(
        "POST",
        _ONE_ACCOUNT + "/reset-secret",
        "resetSecret",
        "Replace all secrets by a new one; tokens that the old ones got live on until they expire",
        "iam:ResetSecret",
        _reset,
        _shown_once,
        answer=NewSecretShown,
        body=Empty,
        status=201,
        once=("clientSecret",),
    ),
)
