"""What every service needs, in one value: the settings, and the outside world behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from app.domain.catalogue import IAM, Catalogue
from app.services.epoch_cache import EpochCache
from app.settings import Settings
from app.storage import epoch, products
from app.storage.database import Database, StoreUnavailable
from app.tokens.checker import TokenChecker
from app.tokens.issuer import TokenIssuer
from app.tokens.keyring import KeyRing
from app.tokens.remote_keys import RemoteKeySets
from app.tokens.secrets import PasswordHasher, SecretHasher, new_identifier, new_secret

__all__ = ["Runtime", "StaleFacts", "StoreUnavailable"]

RandomBytes = Callable[[int], bytes]


class StaleFacts(RuntimeError):
    """An administrative write came between reading and committing: do the request again."""


def _nothing(_step: str) -> None:
    """What happens between two steps, outside of tests."""


@dataclass(frozen=True)
class Runtime:
    """A running Crossroot. `clock` gives epoch seconds; `ring` the keys of this moment."""

    settings: Settings
    clock: Callable[[], float]
    random_bytes: RandomBytes
    database: Database
    ring: Callable[[], KeyRing]
    issuer: TokenIssuer
    checker: TokenChecker
    secrets: SecretHasher
    passwords: PasswordHasher
    #: The one way out to the network: key sets that clients keep themselves.
    key_sets: RemoteKeySets
    #: Told the name of each step that a crash must not come between; tests crash there.
    reached: Callable[[str], None] = field(default=_nothing, repr=False)
    facts: EpochCache = field(default_factory=EpochCache, repr=False)
    #: What is still to be written when a worker ends.
    at_end: list[Callable[[], None]] = field(default_factory=list, repr=False)

    def end(self) -> None:
        """Write what was kept in memory. Raises `StoreUnavailable`."""
        for each in self.at_end:
            each()

    def now(self) -> int:
        """Whole epoch seconds."""
        return int(self.clock())

    def new_id(self) -> str:
        """A random UUID."""
        return new_identifier(self.random_bytes)

    def new_secret(self) -> str:
        """256 random bits as text of ``A-Za-z0-9-_``."""
        return new_secret(self.random_bytes)

    def catalogue(self, connection: Connection, known_epoch: int | None = None) -> Catalogue:
        """The products in force; read again only when an administrative write came by."""
        value = epoch.current(connection) if known_epoch is None else known_epoch
        return self.facts.get(
            value,
            "catalogue",
            lambda: _with_issuer(products.load(connection), self.settings.issuer),
        )


def _with_issuer(catalogue: Catalogue, issuer: str) -> Catalogue:
    """The issuer's own API is stored without an identifier: it is the issuer itself."""
    return Catalogue.of(
        replace(product, identifier=issuer) if product.name == IAM else product
        for product in catalogue.products.values()
    )
