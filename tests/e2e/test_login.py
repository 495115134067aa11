"""`crossroot login`, with a browser and without, against a served Crossroot."""

from __future__ import annotations

import json
import re
import threading
import webbrowser
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from click.testing import Result

from tests.e2e.conftest import Site
from tests.e2e.people import Person, exchange
from tests.support.processes import command, free_port, started, typed, until
from tests.support.world import VSERVER, claims_of


def login(site: Site, *arguments: str, stdin: str = "") -> Result:
    return typed("login", "--issuer", site.issuer, *arguments, env=site.env, stdin=stdin)


def as_system1(site: Site, *arguments: str, password: str | None = None) -> Result:
    account = site.story["A"]
    return login(
        site, "--root-email", account["root_email"], "--username", account["username"],
        "--password-stdin", *arguments, stdin=f"{password or account['password']}\n",
    )  # fmt: skip


def refusal(done: Result, status: int = 1) -> str:
    assert (done.exit_code, done.stdout) == (status, "")
    return done.stderr


class TestWithoutABrowser:
    def test_an_iam_user(self, site: Site) -> None:
        done = as_system1(site)

        assert (done.exit_code, done.stderr) == (0, "")
        claims = claims_of(done.stdout)
        assert claims["sub"] == site.story["A"]["user_id"]
        assert claims["client_id"] == "crossroot-cli"
        assert claims["amr"] == ["pwd"]
        account = site.story["B"]["service_account_id"]
        became = exchange(site.issuer, done.stdout.strip(), requested_subject=account)
        assert became.status_code == 200

    def test_the_root_user(self, site: Site) -> None:
        account = site.story["B"]
        done = login(
            site, "--root-email", account["root_email"], "--password-stdin",
            stdin=account["root_password"],
        )  # fmt: skip

        assert claims_of(done.stdout)["user_type"] == "root-user"

    def test_for_an_api_and_for_less(self, site: Site) -> None:
        tokens = json.loads(
            as_system1(
                site, "--json", "--resource", VSERVER, "--scope", "openid vserver:List*"
            ).stdout
        )

        assert tokens["token_type"] == "Bearer"
        assert claims_of(tokens["access_token"])["aud"] in (VSERVER, [VSERVER])
        assert claims_of(tokens["id_token"])["sub"] == site.story["A"]["user_id"]

    def test_a_wrong_password(self, site: Site) -> None:
        said = refusal(as_system1(site, password="not the password"))

        assert said == (
            "Error: the sign-in failed: e-mail, username or password is wrong, or the account is "
            "disabled\n"
        )

    def test_what_the_server_refuses(self, site: Site) -> None:
        assert "the server refused: invalid_target" in refusal(
            as_system1(site, "--resource", "https://nobody.example")
        )
        assert "the server refused: invalid_scope" in refusal(as_system1(site, "--scope", "!"))
        assert "answered 400 with a page that cannot be filled in from here" in refusal(
            as_system1(site, "--client-id", "nobody")
        )

    def test_no_terminal_to_ask_at(self, site: Site) -> None:
        assert "use --password-stdin" in refusal(login(site, "--root-email", "a@example.com"), 2)
        assert "need --root-email" in refusal(login(site, "--username", "System1"), 2)


class TestTheServer:
    def test_it_has_another_name(self, site: Site) -> None:
        issuer = f"http://localhost:{site.port}"
        assert refusal(login(site, "--issuer", issuer)) == (
            f"Error: {issuer} is no authorization server of that name (RFC 8414)\n"
        )

    def test_nobody_is_there(self, site: Site) -> None:
        issuer = f"http://127.0.0.1:{free_port()}"
        said = refusal(login(site, "--issuer", issuer))
        assert said.startswith(f"Error: cannot reach {issuer}: ")

    def test_a_password_goes_over_tls(self, site: Site) -> None:
        said = refusal(login(site, "--issuer", "http://id.example.com"))
        assert "is http on a host that others can reach" in said


class TestInABrowser:
    @pytest.fixture
    def browse(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        """What the person does with the address that their browser opens."""

        def install(person: Callable[[str], object]) -> None:
            def open_browser(url: str) -> bool:
                threading.Thread(target=person, args=(url,), daemon=True).start()
                return True

            monkeypatch.setattr(webbrowser, "open", open_browser)

        return install

    def test_a_person_signs_in(self, site: Site, browse: Callable[..., None]) -> None:
        seen = []

        def person(url: str) -> None:
            location = Person(site.issuer, site.story["A"]).go(url)
            stranger = location.replace("state=", "state=x")
            for address in (stranger, urlsplit(url)._replace(query="").geturl()):
                seen.append(requests.get(address.replace("/oauth2/authorize", "/nowhere")))
            seen.append(requests.get(location))

        browse(person)
        done = login(site)

        assert done.stderr == "Sign in in the browser that has just opened.\n"
        assert claims_of(done.stdout)["sub"] == site.story["A"]["user_id"]
        until(lambda: len(seen) == 3, "the page at the end")
        assert [answer.status_code for answer in seen] == [400, 404, 200]
        assert "You can close this page" in seen[-1].text
        assert seen[-1].headers["Content-Security-Policy"] == "default-src 'none'"

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"error": "access_denied"}, "the server refused: access_denied: the person said no"),
            ({"code": "c", "iss": "https://evil.example"}, "not from this server (RFC 9207)"),
            ({"code": "c", "iss": ""}, "not from this server (RFC 9207)"),
            ({"code": "c"}, "the server gives no token: invalid_grant"),
        ],
    )
    def test_other_answers(
        self,
        site: Site,
        browse: Callable[..., None],
        change: dict[str, str],
        sentence: str,
    ) -> None:
        def person(url: str) -> None:
            asked = parse_qs(urlsplit(url).query)
            answer = {
                "state": asked["state"][0],
                "iss": site.issuer,
                "error_description": "the person said no",
                **change,
            }
            requests.get(f"{asked['redirect_uri'][0]}?{urlencode(answer)}")

        browse(person)

        assert sentence in login(site).stderr

    def test_nobody_comes(self, site: Site) -> None:
        said = refusal(login(site, "--no-browser", "--timeout", "1"))

        assert said.startswith("Open this address in a browser on this machine:")
        assert said.endswith("Error: nobody signed in within 1 seconds\n")

    def test_on_a_machine_without_one(self, site: Site, tmp_path: object) -> None:
        arguments = command("login", "--issuer", site.issuer, "--no-browser")
        with started(site.running.out.parent, arguments, site.env, "login") as running:
            printed = running.said("code_challenge_method=S256")
            (url,) = re.findall(r"^http\S+$", printed, re.MULTILINE)
            assert requests.get(Person(site.issuer, site.story["A"]).go(url)).status_code == 200

            assert running.process.wait(30) == 0
            assert claims_of(running.out.read_text())["sub"] == site.story["A"]["user_id"]
