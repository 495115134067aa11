"""Other people's clients, as they come from PyPI, against a served Crossroot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jwt
import pytest
import requests
from authlib.integrations.base_client import OAuthError as AuthlibError
from authlib.integrations.requests_client import OAuth2Session
from google.auth.exceptions import OAuthError as GoogleError
from google.auth.transport.requests import Request as GoogleRequest
from google.oauth2 import sts
from google.oauth2.utils import ClientAuthentication, ClientAuthType
from greennode import GreenNodeAuthen

from tests.e2e.conftest import Site
from tests.e2e.people import Person
from tests.support.world import ACCESS_TOKEN, EXCHANGE, VSERVER, claims_of

CALLBACK = "http://localhost:8001/callback"


@pytest.fixture(scope="module")
def discovery(site: Site) -> Any:
    return requests.get(f"{site.issuer}/.well-known/openid-configuration").json()


@pytest.fixture(autouse=True)
def plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """Authlib's clients insist on https unless told that this is a test."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")


@pytest.fixture(scope="module")
def user_token(site: Site) -> str:
    """A token of System1 that the vServer's client may hand in, being in its audience."""
    return Person(site.issuer, site.story["A"]).token(resource=VSERVER)


class TestGoogleAuth:
    """`google.oauth2.sts` knows no `requested_subject`: the service account is the audience."""

    @pytest.fixture
    def transport(self) -> Iterator[GoogleRequest]:
        with requests.Session() as session:
            yield GoogleRequest(session)

    @pytest.fixture(params=[ClientAuthType.basic, ClientAuthType.request_body])
    def client(self, site: Site, discovery: Any, request: pytest.FixtureRequest) -> sts.Client:
        return sts.Client(
            discovery["token_endpoint"],
            ClientAuthentication(
                request.param,
                site.story["vserver_client_id"],
                site.story["vserver_client_secret"],
            ),
        )

    def test_exchange(
        self, site: Site, client: sts.Client, transport: GoogleRequest, user_token: str
    ) -> None:
        answer = client.exchange_token(
            transport,
            EXCHANGE,
            user_token,
            ACCESS_TOKEN,
            audience=site.story["B"]["vrn"],
            scopes=["vserver:ListServers", "vserver:GetServer"],
            requested_token_type=ACCESS_TOKEN,
        )

        claims = claims_of(answer["access_token"])
        assert claims["sub"] == site.story["B"]["service_account_id"]
        assert claims["act"]["username"] == "System1"
        assert claims["aud"] in (VSERVER, [VSERVER])
        assert set(answer["scope"].split()) == {"vserver:ListServers", "vserver:GetServer"}
        assert answer["issued_token_type"] == ACCESS_TOKEN
        assert answer["expires_in"] == 3600

    @pytest.mark.parametrize(
        ("audience", "subject_token", "code"),
        [
            ("iam::60108:service-account/sa-of-nobody", None, "invalid_target"),
            (None, "not a token", "invalid_request"),
        ],
    )
    def test_errors_are_oauth_errors(
        self,
        site: Site,
        client: sts.Client,
        transport: GoogleRequest,
        user_token: str,
        audience: str | None,
        subject_token: str | None,
        code: str,
    ) -> None:
        with pytest.raises(GoogleError, match=f"Error code {code}: "):
            client.exchange_token(
                transport,
                EXCHANGE,
                subject_token or user_token,
                ACCESS_TOKEN,
                audience=audience or site.story["B"]["vrn"],
            )


class TestAuthlib:
    def test_client_credentials(self, site: Site, discovery: Any) -> None:
        with OAuth2Session(*site.client, scope="vserver:List*") as session:
            token = session.fetch_token(
                discovery["token_endpoint"], grant_type="client_credentials"
            )

        assert token["token_type"] == "Bearer"
        assert token["scope"] == "vserver:List*"
        assert claims_of(token["access_token"])["sub"] == site.story["B"]["service_account_id"]

    def test_a_wrong_secret(self, site: Site, discovery: Any) -> None:
        with (
            OAuth2Session(site.client[0], "wrong") as session,
            pytest.raises(AuthlibError, match=r"^invalid_client: "),
        ):
            session.fetch_token(discovery["token_endpoint"], grant_type="client_credentials")

    def test_code_flow_and_exchange(self, site: Site, discovery: Any) -> None:
        """The vServer's own client: a person signs in through it, and becomes B's account."""
        verifier = "v" * 43
        with OAuth2Session(
            site.story["vserver_client_id"],
            site.story["vserver_client_secret"],
            scope="openid profile iam:ImpersonateServiceAccount",
            redirect_uri=CALLBACK,
            code_challenge_method="S256",
        ) as session:
            url, state = session.create_authorization_url(
                discovery["authorization_endpoint"], code_verifier=verifier, nonce="a nonce"
            )
            location = Person(site.issuer, site.story["A"]).go(url)
            assert location.startswith(f"{CALLBACK}?")
            token = session.fetch_token(
                discovery["token_endpoint"],
                authorization_response=location,
                state=state,
                code_verifier=verifier,
            )
            identity = claims_of(token["id_token"])
            assert identity["nonce"] == "a nonce"
            assert identity["preferred_username"] == "System1"
            assert identity["aud"] == site.story["vserver_client_id"]

        # Without the scope of the sign-in, which a session would send again.
        with OAuth2Session(
            site.story["vserver_client_id"], site.story["vserver_client_secret"]
        ) as session:
            become = {
                "subject_token": token["access_token"],
                "subject_token_type": ACCESS_TOKEN,
                "requested_subject": site.story["B"]["service_account_id"],
            }
            exchanged = session.fetch_token(
                discovery["token_endpoint"], grant_type=EXCHANGE, **become
            )
            claims = claims_of(exchanged["access_token"])
            assert claims["sub"] == site.story["B"]["service_account_id"]
            assert claims["act"]["sub"] == site.story["A"]["user_id"]
            assert claims["client_id"] == site.story["vserver_client_id"]

            with pytest.raises(AuthlibError, match=r"^invalid_scope: "):
                session.fetch_token(
                    discovery["token_endpoint"], grant_type=EXCHANGE, scope="iam:*", **become
                )


@pytest.fixture(scope="module")
def token(site: Site) -> str:
    """B's service account's own token for the vServer."""
    answer = requests.post(
        f"{site.issuer}/oauth2/token",
        data={"grant_type": "client_credentials", "resource": VSERVER},
        auth=site.client,
    )
    return str(answer.json()["access_token"])


@pytest.fixture(scope="module")
def key(discovery: Any, token: str) -> jwt.PyJWK:
    return jwt.PyJWKClient(discovery["jwks_uri"]).get_signing_key_from_jwt(token)


class TestPyJwt:
    """A resource server that has nothing but discovery."""

    def decode(self, discovery: Any, token: str, key: jwt.PyJWK, audience: str) -> Any:
        return jwt.decode(
            token,
            key,
            algorithms=discovery["id_token_signing_alg_values_supported"],
            audience=audience,
            issuer=discovery["issuer"],
            options={"require": ["exp", "iat", "sub", "jti"]},
        )

    def test_decode(self, site: Site, discovery: Any, token: str, key: jwt.PyJWK) -> None:
        claims = self.decode(discovery, token, key, VSERVER)

        assert claims["sub"] == site.story["B"]["service_account_id"]
        assert claims["scope"] == "vserver:*"
        assert jwt.get_unverified_header(token)["typ"] == "at+jwt"

    def test_for_somebody_else(self, discovery: Any, token: str, key: jwt.PyJWK) -> None:
        with pytest.raises(jwt.InvalidAudienceError):
            self.decode(discovery, token, key, discovery["issuer"])

    def test_changed_on_the_way(self, discovery: Any, token: str, key: jwt.PyJWK) -> None:
        head, payload, signature = token.split(".")
        changed = payload[:-1] + ("A" if payload[-1] != "A" else "B")
        with pytest.raises(jwt.InvalidSignatureError):
            self.decode(discovery, f"{head}.{changed}.{signature}", key, VSERVER)


class TestGreenNode:
    """The SDK of the cloud that the guide is about, pointed here."""

    def authen(self, site: Site, client_id: str, client_secret: str) -> GreenNodeAuthen:
        return GreenNodeAuthen(
            client_id=client_id,
            client_secret=client_secret,
            base_url=f"{site.issuer}/accounts-api/v2/",
            max_retries=0,
        )

    def test_sign_in(self, site: Site) -> None:
        answer = self.authen(site, *site.client).auth.create()

        claims = claims_of(answer.access_token)
        assert claims["sub"] == site.story["B"]["service_account_id"]
        assert claims["scope"] == "vserver:*"
        assert answer.expires_in == 3600

    def test_a_wrong_secret(self, site: Site) -> None:
        """This version of the SDK asserts that `error` is an object; RFC 6749 has it a string."""
        with pytest.raises(AssertionError, match=r"^Unexpected error response invalid_client$"):
            self.authen(site, site.client[0], "wrong").auth.create()
