"""`crossroot login`: an access token for the person at this machine (RFC 8252, RFC 7636)."""

from __future__ import annotations

import base64
import hashlib
import os
import webbrowser
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import click

from app.cli.browser import Browser, Form, Page
from app.cli.errors import CannotDo
from app.cli.loopback import Receiver
from app.cli.output import json_option, note, say
from app.cli.passwords import ask, from_stdin
from app.settings import load_settings
from app.tokens.secrets import new_secret

_METADATA = "/.well-known/oauth-authorization-server"
#: A sign-in is a handful of pages; more than this is going round in circles.
_MOST_PAGES = 12


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is typed into the sign-in page; without a username it is the root user."""

    root_email: str
    username: str | None
    password: str

    def fields(self) -> dict[str, str]:
        kind = "root" if self.username is None else "iam"
        return {
            "kind": kind,
            "root_email": self.root_email,
            "username": self.username or "",
            "password": self.password,
        }


@dataclass(frozen=True, slots=True)
class Login:
    """One authorization request of a public client, and what its answer is checked against."""

    metadata: dict[str, Any]
    client_id: str
    redirect_uri: str
    state: str
    verifier: str

    def url(self, scope: str, resources: tuple[str, ...]) -> str:
        digest = hashlib.sha256(self.verifier.encode("ascii")).digest()
        query = [
            ("response_type", "code"),
            ("client_id", self.client_id),
            ("redirect_uri", self.redirect_uri),
            ("state", self.state),
            ("code_challenge", base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")),
            ("code_challenge_method", "S256"),
            *([("scope", scope)] if scope else []),
            *(("resource", resource) for resource in resources),
        ]
        return f"{self.metadata['authorization_endpoint']}?{urlencode(query)}"

    def redeem(self, browser: Browser, answer: dict[str, str]) -> dict[str, Any]:
        """Check the answer and fetch the tokens. Raises `CannotDo`."""
        if answer.get("state") != self.state or answer.get("iss") != self.metadata["issuer"]:
            raise CannotDo("the answer is not for this sign-in, or not from this server (RFC 9207)")
        if "code" not in answer:
            raise CannotDo(f"the server refused: {_words(answer)}")
        page = browser.post(
            self.metadata["token_endpoint"],
            {
                "grant_type": "authorization_code",
                "client_id": self.client_id,
                "code": answer["code"],
                "redirect_uri": self.redirect_uri,
                "code_verifier": self.verifier,
            },
        )
        tokens = page.json()
        if page.status != 200 or "access_token" not in tokens:
            raise CannotDo(f"the server gives no token: {_words(tokens)}")
        return tokens


@click.command("login")
@click.option(
    "--issuer",
    envvar="CROSSROOT_ISSUER",
    default="http://127.0.0.1:8000",
    show_default=True,
    help="The authorization server.",
)
@click.option("--client-id", default="crossroot-cli", show_default=True, help="A public client.")
@click.option("--scope", default="", help="Action patterns to limit the token to, openid, …")
@click.option("--resource", "resources", multiple=True, help="An API that it is for; may repeat.")
@click.option("--no-browser", is_flag=True, help="Open no browser, only print the address.")
@click.option("--timeout", type=click.IntRange(1), default=300, help="Seconds to wait for you.")
@click.option("--username", help="Sign in here, without a browser, as this IAM user.")
@click.option("--root-email", help="The e-mail address of your root account.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@json_option
def command(
    issuer: str,
    client_id: str,
    scope: str,
    resources: tuple[str, ...],
    no_browser: bool,
    timeout: int,
    username: str | None,
    root_email: str | None,
    password_stdin: bool,
    as_json: bool,
) -> None:
    """Sign in and print the access token; nothing is stored.

    Without --root-email the sign-in happens in your browser. With it, the sign-in and approval
    pages are filled in from here: for IAM users with --username, else for the root user.
    """
    load_settings({"CROSSROOT_ISSUER": issuer})
    if root_email is None and (username or password_stdin):
        raise click.UsageError("--username and --password-stdin need --root-email")
    browser = Browser(issuer)
    metadata = _discover(browser, issuer)
    state = new_secret(os.urandom)
    receiver = Receiver(state)
    try:
        login = Login(metadata, client_id, receiver.redirect_uri, state, new_secret(os.urandom))
        url = login.url(scope, resources)
        if root_email is None:
            answer = _by_person(receiver, url, no_browser, timeout)
        else:
            password = from_stdin() if password_stdin else ask(confirm=False)
            answer = sign_in(
                browser, url, login.redirect_uri, Credentials(root_email, username, password)
            )
    finally:
        receiver.close()
    tokens = login.redeem(browser, answer)
    say(as_json, tokens, tokens["access_token"])


def _discover(browser: Browser, issuer: str) -> dict[str, Any]:
    """The server's metadata (RFC 8414). Raises `CannotDo`."""
    page = browser.get(issuer + _METADATA)
    metadata = page.json() if page.status == 200 else {}
    if metadata.get("issuer") != issuer:
        raise CannotDo(f"{issuer} is no authorization server of that name (RFC 8414)")
    return metadata


def _by_person(receiver: Receiver, url: str, no_browser: bool, timeout: int) -> dict[str, str]:
    if no_browser or not webbrowser.open(url):
        note(f"Open this address in a browser on this machine:\n\n{url}\n")
    else:
        note("Sign in in the browser that has just opened.")
    return receiver.wait(timeout)


def sign_in(
    browser: Browser, url: str, redirect_uri: str, credentials: Credentials
) -> dict[str, str]:
    """Go through the pages as a person would. Returns the parameters of the redirect at the end.

    Raises `CannotDo` where the sign-in fails or a page comes that is not known here.
    """
    page = browser.get(url)
    for _ in range(_MOST_PAGES):
        if page.location is not None:
            if page.location.startswith(f"{redirect_uri}?"):
                return dict(parse_qsl(urlsplit(page.location).query))
            page = browser.get(page.location)
        elif page.status == 401:
            raise CannotDo(
                "the sign-in failed: e-mail, username or password is wrong, or the account is "
                "disabled"
            )
        else:
            page = _fill_in(browser, page, credentials)
    raise CannotDo("the sign-in goes round in circles; use a browser (leave out --root-email)")


def _fill_in(browser: Browser, page: Page, credentials: Credentials) -> Page:
    for form in page.forms():
        if "password" in form.names:
            return _submit(browser, page, form, credentials.fields())
        if form.hidden.get("decision") == "approve":
            return _submit(browser, page, form, {})
    raise CannotDo(
        f"{urlsplit(page.url).path} answered {page.status} with a page that cannot be filled in "
        "from here; use a browser (leave out --root-email)"
    )


def _submit(browser: Browser, page: Page, form: Form, fields: dict[str, str]) -> Page:
    return browser.post(urljoin(page.url, form.action), {**form.hidden, **fields})


def _words(answer: dict[str, Any]) -> str:
    """An OAuth error in words."""
    return f"{answer.get('error', 'no reason given')}: {answer.get('error_description', '')}"
