"""The management API as the commands call it: one server, one token, errors as sentences."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import click

from app.cli.browser import Browser, Page
from app.cli.errors import CannotDo
from app.cli.passwords import from_stdin
from app.settings import load_settings
from app.tokens.secrets import new_secret

Command = TypeVar("Command", bound=Callable[..., Any])

ACCOUNTS = "/accounts-api/v1"
POLICIES = "/policies-api/v1"
AUDIT = "/audit-api/v1"
_PAGE_SIZE = 100
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|sa-[A-Za-z0-9._-]+|managed-[a-z-]+")


@dataclass(frozen=True, slots=True)
class Api:
    """Where the API is, and the token that it is called with."""

    issuer: str
    token: str

    def get(self, path: str, **query: Any) -> Any:
        return self._call("GET", path, query=query)

    def post(self, path: str, body: Any = None) -> Any:
        # A create that is sent again, by a proxy for example, creates nothing again.
        headers = {"Idempotency-Key": new_secret(os.urandom)}
        return self._call("POST", path, {} if body is None else body, headers=headers)

    def patch(self, path: str, body: Any) -> Any:
        return self._call("PATCH", path, body)

    def delete(self, path: str, **query: Any) -> Any:
        return self._call("DELETE", path, query=query)

    def all(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        number = 0
        while True:
            page = self.get(path, pageNumber=number, pageSize=_PAGE_SIZE, **query)
            yield from page["data"]
            number += 1
            if number >= page["totalPages"]:
                return

    def id_of(self, path: str, name: str, member: str = "name") -> str:
        """The id of an object that is named, or whose id is given. Raises `CannotDo`."""
        if _ID.fullmatch(name):
            return name
        for item in self.all(path, name=name):
            if str(item[member]).lower() == name.lower():
                return str(item.get("id") or item["clientId"])
        raise CannotDo(f"the account has no {name} at {path.rpartition('/')[2]}")

    def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        url = f"{self.issuer}{path}" + (f"?{urlencode(given)}" if given else "")
        authorization = {"Authorization": f"Bearer {self.token}"}
        page = Browser(self.issuer).call(method, url, body, {**authorization, **(headers or {})})
        if page.status == 204:
            return None
        if page.status >= 300:
            raise CannotDo(_sentence(page))
        return page.json()


def _sentence(page: Page) -> str:
    """A problem document (RFC 9457) in words, with the decision to hand on."""
    if page.status == 401:
        return (
            "the token is not a live token for this server; get one with "
            "`export CROSSROOT_TOKEN=$(crossroot login)`"
        )
    problem = page.json()
    text = str(problem.get("detail") or problem.get("title") or page.status)
    for error in problem.get("errors", ()):
        text += f"\n  {error['pointer'] or 'the body'}: {error['detail']}"
    if "decisionId" in problem:
        text += f"\n  why: crossroot iam explain {problem['decisionId']}"
    return text


def api_options(command: Command) -> Command:
    """Adds `--issuer` and `--token-stdin`; the command gets an `Api` as its first argument."""

    run: Callable[..., Any] = command

    def with_api(*arguments: Any, issuer: str, token_stdin: bool, **options: Any) -> Any:
        load_settings({"CROSSROOT_ISSUER": issuer})
        given = from_stdin() if token_stdin else os.environ.get("CROSSROOT_TOKEN", "")
        if not given.strip():
            raise click.UsageError(
                "no token: export CROSSROOT_TOKEN=$(crossroot login), or use --token-stdin"
            )
        return run(Api(issuer, given.strip()), *arguments, **options)

    with_api.__name__, with_api.__doc__ = command.__name__, command.__doc__
    # Options that were added to the command before.
    with_api.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    token = click.option("--token-stdin", is_flag=True, help="Read the token from standard input.")
    server = click.option(
        "--issuer",
        envvar="CROSSROOT_ISSUER",
        default="http://127.0.0.1:8000",
        show_default=True,
        help="The server.",
    )
    return server(token(with_api))  # type: ignore[return-value]


def segment(text: str) -> str:
    """A part of a path."""
    return quote(text, safe="")
