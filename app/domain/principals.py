"""Who can act: root users, IAM users and service accounts, as frozen values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from app.domain.names import Vrn, service_account_vrn

MIN_TOKEN_LIFETIME = 900
MAX_TOKEN_LIFETIME = 43_200
DEFAULT_TOKEN_LIFETIME = 3_600


class PrincipalType(StrEnum):
    """The words of the `user_type` claim and of the `iam:PrincipalType` key."""

    ROOT_USER = "root-user"
    IAM_USER = "iam-user"
    SERVICE_ACCOUNT = "service-account"


@dataclass(frozen=True, slots=True)
class RootAccount:
    """A tenant. `id` is numeric text, for example ``53461``."""

    id: str
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class RootUser:
    """The owner of a root account, who may do everything in it and nothing outside it."""

    id: str
    account: RootAccount
    email: str = ""

    type = PrincipalType.ROOT_USER

    @property
    def name(self) -> str:
        return self.email

    @property
    def enabled(self) -> bool:
        """A root user has no switch of its own: it is disabled with its account."""
        return True


@dataclass(frozen=True, slots=True)
class IamUser:
    """A person inside a root account; may do nothing that no policy allows."""

    id: str
    username: str
    account: RootAccount
    enabled: bool = True

    type = PrincipalType.IAM_USER

    @property
    def name(self) -> str:
        return self.username


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A machine identity. `max_token_lifetime` is in seconds."""

    id: str
    name: str
    account: RootAccount
    enabled: bool = True
    max_token_lifetime: int = DEFAULT_TOKEN_LIFETIME

    type = PrincipalType.SERVICE_ACCOUNT

    @property
    def vrn(self) -> Vrn:
        return service_account_vrn(self.account.id, self.id)


Principal = RootUser | IamUser | ServiceAccount


def is_active(principal: Principal) -> bool:
    """Whether the principal and its account are both enabled."""
    return principal.enabled and principal.account.enabled


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts through a service account (the `act` claim, RFC 8693 section 4.1).

    `name` is what the person called themselves: self-asserted, shown, never decided upon.
    """

    subject: str
    account_id: str
    user_type: str
    username: str
    name: str | None = None

    def claim(self) -> dict[str, str]:
        """The `act` claim; `name` only where one was given."""
        claim = {
            "sub": self.subject,
            "account_id": self.account_id,
            "user_type": self.user_type,
            "username": self.username,
        }
        if self.name is not None:
            claim["name"] = self.name
        return claim


_ACCOUNT_ID = re.compile(r"[1-9][0-9]{0,19}")
#: Of text that prints: no other space is in it, and no control character.
_EMAIL = re.compile(r"[^ @]{1,64}@[^ @]{1,189}")
_USERNAME = re.compile(r"[A-Za-z0-9._-]{5,50}")
_NAME = re.compile(r"[A-Za-z0-9._-]([A-Za-z0-9._ -]{0,48}[A-Za-z0-9._-])?")


def is_account_id(text: str) -> bool:
    """Up to 20 digits, the first not 0."""
    return _ACCOUNT_ID.fullmatch(text) is not None


def is_email(text: str) -> bool:
    """Text that prints on both sides of one @; whether mail arrives is for the mail to tell."""
    return text.isprintable() and _EMAIL.fullmatch(text) is not None


def is_username(text: str) -> bool:
    """5 to 50 of ``A-Za-z0-9._-``."""
    return _USERNAME.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """1 to 50 of ``A-Za-z0-9._-`` and spaces, none at either end."""
    return _NAME.fullmatch(text) is not None
