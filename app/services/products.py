"""Products: registering resource servers, their catalogues and their clients."""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from sqlalchemy import Connection

from app.domain.catalogue import IAM, Action, Label, Product
from app.domain.clients import Client, ClientKind
from app.domain.documents import compile_document
from app.domain.events import Event
from app.services import audit as audit_service
from app.services.administration import Conflict, Invalid, NotFound, change
from app.services.runtime import Runtime
from app.services.service_accounts import add_secret
from app.storage import clients, policies, products

CLI_CLIENT = "crossroot-cli"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_SHIPPED = Path(__file__).parent / "shipped"


class _ActionEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Z][A-Za-z0-9]{0,63}$")
    label: Label
    resources: tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")], ...] = ()


class ProductFile(BaseModel):
    """The operator's file for one product (TOML)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")
    display_name: str = Field(min_length=1, max_length=64)
    identifier: str = Field(max_length=255)
    actions: tuple[_ActionEntry, ...] = Field(min_length=1)

    @field_validator("identifier")
    @classmethod
    def _is_absolute(cls, value: str) -> str:
        """RFC 8707 section 2: an absolute URI without fragment."""
        if value and (":" not in value or "#" in value or any(c.isspace() for c in value)):
            raise ValueError("expected an absolute URI without fragment")
        return value

    @field_validator("actions")
    @classmethod
    def _are_distinct(cls, value: tuple[_ActionEntry, ...]) -> tuple[_ActionEntry, ...]:
        counts = Counter(each.name for each in value)
        twice = [name for name, count in counts.items() if count > 1]
        if twice:
            raise ValueError(f"{', '.join(twice)} is there more than once")
        return value

    def product(self) -> Product:
        return Product(
            self.name,
            self.identifier,
            tuple(Action(each.name, each.label, each.resources) for each in self.actions),
        )


@dataclass(frozen=True, slots=True)
class RegisteredProduct:
    """`client_secret` is there only for a new product, this once."""

    product: Product
    client_id: str
    client_secret: str | None


def read_file(path: Path) -> ProductFile:
    """Read a product file. Raises `Invalid` with what is wrong in it."""
    try:
        return ProductFile.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise Invalid(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} is not valid TOML: {error}") from None
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}"
            for each in error.errors()
        )
        raise Invalid(f"{path}: {problems}") from None


def register(
    runtime: Runtime, file: ProductFile, redirect_uris: tuple[str, ...] = ()
) -> RegisteredProduct:
    """Register a product and its client, or bring its catalogue up to date. Raises `Invalid`."""
    if file.name == IAM or not file.identifier:
        raise Invalid("iam is the server's own API, and every other product needs an identifier")
    if file.identifier.rstrip("/") == runtime.settings.issuer:
        raise Invalid(
            "the identifier is the issuer's own: its tokens would be good for this server"
        )
    secret = runtime.new_secret()

    def write(connection: Connection) -> RegisteredProduct:
        taken = products.load(connection).find_api(file.identifier)
        if taken is not None and taken.name != file.name:
            raise Conflict(f"{file.identifier} is the identifier of product {taken.name}")
        products.put(connection, file.product(), file.display_name, runtime.now())
        audit_service.write_by_operator(
            runtime, connection, Event.PRODUCT_ADD, None, f"product/{file.name}"
        )
        client_id = clients.find_id_of_product(connection, file.name)
        if client_id is not None:
            return RegisteredProduct(file.product(), client_id, None)
        client = Client(
            id=runtime.new_id(),
            kind=ClientKind.PRODUCT,
            name=file.display_name,
            product=file.name,
            grant_types=("authorization_code", "refresh_token", _EXCHANGE),
            redirect_uris=redirect_uris,
        )
        clients.add(connection, client, runtime.now())
        add_secret(runtime, connection, client.id, secret)
        return RegisteredProduct(file.product(), client.id, secret)

    return change(runtime, write)


def replace_client_secret(runtime: Runtime, client_id: str) -> str:
    """Replace a product client's secrets by a new one, which is returned this once.

    Raises `NotFound`.
    """
    secret = runtime.new_secret()

    def write(connection: Connection) -> str:
        client = clients.find(connection, client_id)
        if client is None or client.kind is not ClientKind.PRODUCT:
            raise NotFound(f"no product has the client {client_id}")
        clients.remove_secrets(connection, client_id)
        add_secret(runtime, connection, client_id, secret)
        audit_service.write_by_operator(
            runtime, connection, Event.CLIENT_SECRET_CREATE, None, f"oauth-client/{client_id}"
        )
        return secret

    return change(runtime, write)


def install_shipped(runtime: Runtime) -> None:
    """Bring the server's own catalogue, managed policies and clients into the store.

    The sample's catalogue only where there is none: the operator may have registered the real
    product since, at its own address.
    """
    own = read_file(_SHIPPED / "iam.toml")
    sample = read_file(_SHIPPED / "vserver.toml")
    managed = tomllib.loads((_SHIPPED / "policies.toml").read_text("utf-8"))["policies"]

    def write(connection: Connection) -> None:
        now = runtime.now()
        known = products.load(connection).products
        for file in (own, sample):
            if file is own or file.name not in known:
                products.put(connection, file.product(), file.display_name, now)
        catalogue = products.load(connection)
        for entry in managed:
            if policies.find_id(connection, None, entry["id"]) is None:
                document: dict[str, Any] = {"statements": entry["statements"]}
                compile_document(document, catalogue)
                policies.add(
                    connection,
                    entry["id"],
                    None,
                    entry["name"],
                    document,
                    now,
                    entry["description"],
                )
        if clients.exists(connection, CLI_CLIENT):
            clients.update_grants(connection, _cli_client())
        else:
            clients.add(connection, _cli_client(), now)

    change(runtime, write)


def sample_product() -> ProductFile:
    """The catalogue of the sample vServer, as it is shipped."""
    return read_file(_SHIPPED / "vserver.toml")


def _cli_client() -> Client:
    """The shipped command line: public, on loopback, any port (RFC 8252 section 7.3)."""
    return Client(
        id=CLI_CLIENT,
        kind=ClientKind.SHIPPED,
        name="Crossroot command line",
        auth_method="none",
        grant_types=("authorization_code", "refresh_token", _EXCHANGE),
        redirect_uris=("http://127.0.0.1/callback", "http://[::1]/callback"),
    )
