"""What an operator can set, each from one environment variable (`CROSSROOT_` + the field's name).

`load_settings()` is the way in: its error is written for the operator. `Settings(...)` with
keyword arguments serves tests and tools; it reads the environment for whatever is not given.
Lifetimes are in seconds, sizes in bytes. Nothing is created on disk here: folders are made by
the code that first writes into them.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

ENV_PREFIX = "CROSSROOT_"

# A scheme, then anything: SQLAlchemy reads the rest when the database is opened.
_DATABASE_URL = re.compile(r"(sqlite|postgresql)(\+[a-z0-9_]+)?://\S*\Z")
_LONGEST_ECHO = 40


class SettingsError(ValueError):
    """The environment holds values that Crossroot cannot start with.

    `problems` has one sentence for each variable; `str()` shows them all. Values are shown only
    for numbers and choices, never for a setting that can hold a credential.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        count = "a setting is" if len(problems) == 1 else f"{len(problems)} settings are"
        super().__init__(
            "\n  - ".join((f"Crossroot cannot start: {count} wrong in the environment.", *problems))
        )


class Settings(BaseSettings):
    """Every setting, checked. Frozen: a running server never changes its mind."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    environment: Literal["development", "production"] = Field(
        default="development",
        description="`production` refuses values that are only safe on one's own machine.",
    )
    issuer: str = Field(
        default="http://127.0.0.1:8000",
        description="The address of this server as clients see it. It is the `iss` of every token, "
        "and discovery is found under it (RFC 8414, section 2).",
        json_schema_extra={
            "accepts": "an https URL without trailing slash, query or fragment, such as "
            "https://id.example.com; in development also http on a loopback host"
        },
    )
    database_url: str = Field(
        default="sqlite:///var/crossroot.db",
        repr=False,
        description="Where accounts, grants and the audit log are kept. A relative SQLite path "
        "starts at the current folder.",
        json_schema_extra={
            "accepts": "a database URL such as sqlite:///var/crossroot.db or "
            "postgresql+psycopg://user:password@host/name"
        },
    )
    keys_dir: Path = Field(
        default=Path("keys"),
        description="The folder of signing keys (`next`, `active`, `retired`) and of `pepper.key`, "
        "under which client secrets are hashed.",
    )
    var_dir: Path = Field(
        default=Path("var"), description="The folder for files that Crossroot writes, `demo.json`."
    )
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="The address to listen on.",
        json_schema_extra={"accepts": "an IP address or host name"},
    )
    port: int = Field(default=8000, ge=1, le=65535, description="The TCP port to listen on.")
    workers: int = Field(default=2, ge=1, le=64, description="Server processes.")
    threads: int = Field(
        default=8, ge=1, le=64, description="Requests that one process answers at the same time."
    )
    signing_algorithm: Literal["ES256", "RS256", "Ed25519"] = Field(
        default="ES256", description="The algorithm of newly made signing keys."
    )
    user_token_lifetime: int = Field(
        default=3600, ge=900, le=43200, description="Seconds that a user's access token is valid."
    )
    code_lifetime: int = Field(
        default=60,
        ge=1,
        le=60,
        description="Seconds that an authorization code can be redeemed (RFC 6749, section 4.1.2).",
    )
    session_lifetime: int = Field(
        default=28800, ge=300, le=2592000, description="Seconds that a browser stays signed in."
    )
    refresh_lifetime: int = Field(
        default=2592000,
        ge=3600,
        le=31536000,
        description="Seconds after a person's approval at which refreshing ends. No refresh moves "
        "that end (RFC 9700, section 4.14.2).",
    )
    id_token_lifetime: int = Field(
        default=3600, ge=60, le=86400, description="Seconds that an ID token is valid."
    )
    max_body_bytes: int = Field(
        default=65536, ge=1024, le=16777216, description="The largest request body that is read."
    )
    max_form_fields: int = Field(
        default=100, ge=16, le=1000, description="The most fields that a form may have."
    )

    @field_validator("issuer")
    @classmethod
    def _check_issuer(cls, value: str, info: ValidationInfo) -> str:
        # `environment` is absent when it was itself refused; then only its own error is useful.
        problem = _issuer_problem(value, production=info.data.get("environment") == "production")
        if problem:
            raise ValueError(problem)
        return value

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: str) -> str:
        if not _DATABASE_URL.match(value):
            raise ValueError("names no database that Crossroot knows")
        return value


@dataclass(frozen=True)
class SettingDoc:
    """One setting as documentation shows it. All texts are plain sentences or Markdown."""

    variable: str
    default: str
    accepts: str
    description: str


def setting_docs() -> tuple[SettingDoc, ...]:
    """Describe every setting, in the order in which `Settings` declares them."""
    return tuple(
        SettingDoc(
            variable=variable_name(name),
            default=str(field.default),
            accepts=_accepts(field),
            description=field.description or "",
        )
        for name, field in Settings.model_fields.items()
    )


def variable_name(field_name: str) -> str:
    """`issuer` -> `CROSSROOT_ISSUER`."""
    return ENV_PREFIX + field_name.upper()


def load_settings(env: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `env`, by default from the environment of the process.

    A variable that is set to the empty string counts as not set. Variables of other names are
    left alone, unless the name looks like a misspelt setting: a typing error in
    `CROSSROOT_ENVIRONMENT` must not quietly start a production server in development mode.

    Raises:
        SettingsError: naming every variable that is wrong, and what would be right.
    """
    environ = os.environ if env is None else env
    problems = _misspelt(environ)
    try:
        settings = Settings(_build_sources=((_MappingSource(environ),), {}))
    except ValidationError as error:
        problems += tuple(_sentence(dict(detail)) for detail in error.errors())
    if problems:
        # Outside the `except` block, so that no traceback carries the refused values along.
        raise SettingsError(problems)
    return settings


class _MappingSource(PydanticBaseSettingsSource):
    """Takes the values from the mapping given to `load_settings`, and from nowhere else."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(Settings)
        self._environ = environ

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._environ.get(variable_name(field_name)), field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {
            name: self.get_field_value(field, name)[0]
            for name, field in Settings.model_fields.items()
        }
        return {name: value for name, value in found.items() if value}


def _misspelt(environ: Mapping[str, str]) -> tuple[str, ...]:
    known = [variable_name(name) for name in Settings.model_fields]
    problems = []
    for variable in sorted(environ):
        if not variable.startswith(ENV_PREFIX) or variable in known or not environ[variable]:
            continue
        name = variable.removeprefix(ENV_PREFIX)
        names = [other.removeprefix(ENV_PREFIX) for other in known]
        for match in difflib.get_close_matches(name, names, n=1, cutoff=0.8):
            problems.append(f"{variable} is no setting; did you mean {ENV_PREFIX}{match}?")
    return tuple(problems)


def _sentence(detail: Mapping[str, Any]) -> str:
    """Turn one of pydantic's error details into a sentence for the operator."""
    name = str(detail["loc"][0])
    field = Settings.model_fields[name]
    if detail["type"] == "value_error":
        problem = str(detail["ctx"]["error"])
    else:
        shown = str(detail["input"])
        if len(shown) > _LONGEST_ECHO:
            shown = shown[:_LONGEST_ECHO] + "…"
        problem = f"is {shown!r}"
    return f"{variable_name(name)} {problem}; it must be {_accepts(field)}."


def _accepts(field: FieldInfo) -> str:
    if isinstance(field.json_schema_extra, dict):
        return str(field.json_schema_extra["accepts"])
    if get_origin(field.annotation) is Literal:
        *others, last = map(str, get_args(field.annotation))
        return f"{', '.join(others)} or {last}"
    if field.annotation is int:
        low = next(bound.ge for bound in field.metadata if hasattr(bound, "ge"))
        high = next(bound.le for bound in field.metadata if hasattr(bound, "le"))
        return f"a whole number from {low} to {high}"
    return "a path"


def _issuer_problem(issuer: str, *, production: bool) -> str | None:
    """What keeps this URL from being an issuer (RFC 8414, section 2), as words after its name."""
    if not re.fullmatch(r"[\x21-\x7e]+", issuer):
        return "has a space or a character that a URL cannot hold"
    try:
        parts = urlsplit(issuer)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no URL"
    if not issuer.startswith(("http://", "https://")) or not host:
        return "is no http or https URL"
    if "@" in parts.netloc:
        return "has a user name in it"
    # Looked for in the text: urlsplit drops an empty query or fragment.
    if "?" in issuer or "#" in issuer:
        return "has a query or a fragment"
    if issuer.endswith("/"):
        return "ends with a slash"
    if parts.scheme == "https":
        return None
    if production:
        return "is not https, which production needs"
    if not _is_loopback(host):
        return "is http on a host that others can reach"
    return None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
