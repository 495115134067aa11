"""A client and a person who tell the server secrets, in the right places and in wrong ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from bs4 import BeautifulSoup

from tests.canary.secrets_kept import Canaries
from tests.support.served_world import ServedWorld
from tests.support.world import CALLBACK, CLI, authorization_query


@dataclass
class Stage:
    """`refusals` are the answers with an error, also those that a redirect brings a client."""

    served: ServedWorld
    canaries: Canaries = field(default_factory=Canaries)
    refusals: list[requests.Response] = field(default_factory=list)

    def call(
        self, method: str, path: str, *, session: requests.Session | None = None, **options: Any
    ) -> requests.Response:
        """One request; redirects are not followed. Nothing that it brings is the server's fault."""
        with session or requests.Session() as used:
            used.trust_env = False  # no proxy, no .netrc
            answer = used.request(
                method, urljoin(self.served.issuer, path), allow_redirects=False, **options
            )
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        if answer.status_code >= 400 or "error=" in answer.headers.get("Location", ""):
            self.refusals.append(answer)
        return answer

    def token(self, expected: int = 200, **form: Any) -> Any:
        """A form to the token endpoint; `auth` is HTTP Basic."""
        auth = form.pop("auth", None)
        answer = self.call("POST", "/oauth2/token", data=form, auth=auth)
        assert answer.status_code == expected, answer.text
        return answer.json()

    def browser(self) -> Browser:
        return Browser(self, requests.Session())


@dataclass
class Browser:
    """A person's browser. The pages' cookies and form tokens are secrets too."""

    stage: Stage
    session: requests.Session

    def get(self, url: str, **options: Any) -> requests.Response:
        return self._noted(self.stage.call("GET", url, session=self.session, **options))

    def submit(
        self, page: requests.Response, *, changes: dict[str, str] | None = None, **fields: str
    ) -> requests.Response:
        """Send the page's first form; `changes` are to its hidden fields."""
        form = BeautifulSoup(page.text, "html.parser").find("form")
        assert form is not None, page.text
        hidden = {
            str(item["name"]): str(item.get("value", ""))
            for item in form.find_all("input")
            if item.get("type") == "hidden"
        }
        data = {**hidden, **fields, **(changes or {})}
        action = urljoin(self.stage.served.issuer, str(form["action"]))
        return self._noted(self.stage.call("POST", action, session=self.session, data=data))

    def sign_in(self, page: requests.Response, password: str, **fields: str) -> requests.Response:
        form = {"kind": "iam", "root_email": "root-a@example.com", "username": "System1", **fields}
        return self.submit(page, password=password, **form)

    def follow(self, answer: requests.Response) -> requests.Response:
        return self.get(urljoin(self.stage.served.issuer, answer.headers["Location"]))

    def _noted(self, answer: requests.Response) -> requests.Response:
        kinds = {"crossroot_session": "session cookie", "crossroot_form": "form cookie"}
        for name, value in answer.cookies.items():
            if value:
                self.stage.canaries.keep(kinds[name], value)
        if 'name="csrf_token"' in answer.text:
            fields = BeautifulSoup(answer.text, "html.parser").find_all(
                "input", {"name": "csrf_token"}
            )
            for item in fields:
                self.stage.canaries.keep("form token", str(item["value"]))
        return answer


def authorization(stage: Stage, challenge: str, **fields: str) -> dict[str, str]:
    """An authorization request with a state and a nonce of its own."""
    return {
        **authorization_query(),
        "scope": "openid offline_access",
        "state": stage.canaries.new("state"),
        "nonce": stage.canaries.new("nonce"),
        "code_challenge": challenge,
        **fields,
    }


def redeem(code: str, verifier: str, **fields: str) -> dict[str, str]:
    """The form that redeems a code of the command line client."""
    return {
        "grant_type": "authorization_code",
        "client_id": CLI,
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": verifier,
        **fields,
    }


def query_of(answer: requests.Response) -> dict[str, str]:
    """What the redirect tells the client."""
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    return {name: values[0] for name, values in query.items()}
