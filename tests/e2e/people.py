"""A person with a browser, and the calls of the guide's story, over real sockets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from bs4 import BeautifulSoup

from tests.support.world import (
    ACCESS_TOKEN,
    CALLBACK,
    CLI,
    EXCHANGE,
    VERIFIER,
    authorization_query,
)


class Person:
    """Somebody who signs in through pages, as the story's `A` or `B` tells."""

    def __init__(self, issuer: str, account: dict[str, str], *, as_root: bool = False) -> None:
        self.issuer = issuer
        self.session = requests.Session()
        self.session.trust_env = False  # no proxy, no .netrc
        self._fields = {
            "kind": "root" if as_root else "iam",
            "root_email": account["root_email"],
            "username": "" if as_root else account["username"],
            "password": account["root_password" if as_root else "password"],
        }

    def go(self, url: str, **options: Any) -> str:
        """Follow the pages of an authorization request. Returns the redirect to the client."""
        page = self.session.get(url, **options, allow_redirects=False)
        for _ in range(10):
            location = page.headers.get("Location")
            if location is None:
                page = self._fill_in(page)
            elif urljoin(page.url, location).startswith(self.issuer):
                page = self.session.get(urljoin(page.url, location), allow_redirects=False)
            else:
                return location
        raise AssertionError(f"no end at {page.url}: {page.text}")

    def _fill_in(self, page: requests.Response) -> requests.Response:
        assert page.status_code == 200, page.text
        form = BeautifulSoup(page.text, "html.parser").find("form")
        assert form is not None, page.text
        inputs = form.find_all("input")
        hidden = {
            str(item["name"]): str(item.get("value", ""))
            for item in inputs
            if item.get("type") == "hidden"
        }
        typed = self._fields if any(item.get("type") == "password" for item in inputs) else {}
        return self.session.post(
            urljoin(page.url, str(form["action"])), data={**hidden, **typed}, allow_redirects=False
        )

    def code(self, **query: str) -> str:
        """An authorization code for the command line client."""
        location = self.go(f"{self.issuer}/oauth2/authorize", params=authorization_query(**query))
        return answer_in(location)["code"]

    def token(self, **query: str) -> str:
        """An access token for the command line client."""
        answer = redeem(self.issuer, self.code(**query))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


def answer_in(location: str) -> dict[str, str]:
    """The parameters of a redirect."""
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def redeem(issuer: str, code: str) -> requests.Response:
    """Redeem a code of the command line client."""
    return post(
        f"{issuer}/oauth2/token",
        grant_type="authorization_code",
        client_id=CLI,
        code=code,
        redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
    )


def exchange(issuer: str, subject_token: str, **fields: str) -> requests.Response:
    """Token exchange by the command line client."""
    return post(
        f"{issuer}/oauth2/token",
        grant_type=EXCHANGE,
        client_id=CLI,
        subject_token=subject_token,
        subject_token_type=ACCESS_TOKEN,
        **fields,
    )


def post(url: str, *, auth: tuple[str, str] | None = None, **fields: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.post(url, data=fields, auth=auth)


@dataclass(frozen=True)
class VServer:
    """The sample vServer, with somebody's token."""

    url: str
    token: str

    def get(self, path: str) -> requests.Response:
        return self._send("GET", path)

    def post(self, path: str) -> requests.Response:
        return self._send("POST", path)

    def _send(self, method: str, path: str) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Authorization": f"Bearer {self.token}"}
            return session.request(method, self.url + path, headers=headers)
