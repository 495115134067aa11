"""What the life of a token needs beside the story: other clients, other browsers, other threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.factory import create_app, runtime_of
from app.services import accounts, clients, products
from app.services.clients import EXCHANGE, ClientRegistration
from app.services.products import ProductFile
from app.storage import accounts as rows
from app.tokens import outbound
from tests.support.world import (
    CALLBACK,
    CLI,
    RING,
    VERIFIER,
    World,
    authorization_query,
    basic,
    redirect_parameters,
    submit,
)

Result = TypeVar("Result")

APP_CALLBACK = "https://app.example/callback"
PRODUCT_CALLBACK = "http://localhost:8001/callback"
#: Patience with another thread, in seconds; nobody waits that long unless something is broken.
PATIENCE = 20


@dataclass(frozen=True)
class Application:
    """A client and how it proves who it is: `secret` is None for a public one."""

    id: str
    redirect_uri: str
    secret: str | None = None

    @property
    def auth(self) -> tuple[str, str] | None:
        return None if self.secret is None else (self.id, self.secret)

    @property
    def fields(self) -> dict[str, str]:
        return {"client_id": self.id} if self.secret is None else {}


COMMAND_LINE = Application(CLI, CALLBACK)


def product_client(world: World) -> Application:
    """vServer's own client, which the operator registered."""
    return Application(world.product_client_id, PRODUCT_CALLBACK, world.product_client_secret)


def tenant_client(world: World, name: str = "app", **fields: Any) -> Application:
    """A client of account A, confidential unless the test says otherwise."""
    registration = ClientRegistration(
        name=name,
        **{
            "redirect_uris": (APP_CALLBACK,),
            "grant_types": ("authorization_code", "refresh_token", EXCHANGE),
            **fields,
        },
    )
    new = clients.register(world.runtime, "53461", registration)
    return Application(new.client.id, registration.redirect_uris[0], new.client_secret)


def another_product(world: World, name: str) -> None:
    """A resource server beside vServer, `https://<name>.example`."""
    file = ProductFile.model_validate(
        {
            "name": name,
            "display_name": name,
            "identifier": f"https://{name}.example",
            "actions": [{"name": "ListThings", "label": "List"}],
        }
    )
    products.register(world.runtime, file)


def query_of(application: Application, **fields: Any) -> dict[str, Any]:
    """An authorization request; a field that is empty is left out."""
    own = {"client_id": application.id, "redirect_uri": application.redirect_uri}
    return authorization_query(**{**own, **fields})


def ask(browser: FlaskClient, application: Application, **fields: Any) -> TestResponse:
    """Go to the authorization endpoint, and no further."""
    return browser.get("/oauth2/authorize", query_string=query_of(application, **fields))


def signed_in_browser(world: World, username: str | None = "System1") -> FlaskClient:
    """A browser in which somebody has signed in, for no particular application."""
    browser = world.app.test_client()
    page = world.sign_in(browser, browser.get("/sign-in"), username=username)
    assert page.status_code == 200, page.text
    return browser


def code_from(answer: TestResponse, browser: FlaskClient) -> str:
    """The code of an answer, after approving where a page asks for it."""
    if answer.status_code == 200:
        answer = submit(browser, answer)
    return redirect_parameters(answer)["code"]


def redeem(world: World, application: Application, code: str, **fields: Any) -> TestResponse:
    """Redeem a code; None leaves a default field out."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": application.redirect_uri,
        "code_verifier": VERIFIER,
        **application.fields,
        **fields,
    }
    kept = {name: value for name, value in form.items() if value is not None}
    return world.token_call(kept, auth=application.auth)


def tokens_of(
    world: World,
    application: Application = COMMAND_LINE,
    *,
    browser: FlaskClient | None = None,
    username: str | None = "System1",
    **query: Any,
) -> dict[str, Any]:
    """What the token endpoint answers to a person's code. Signs in where no browser is given."""
    browser = browser or signed_in_browser(world, username)
    code = code_from(ask(browser, application, **{"scope": "openid", **query}), browser)
    answer = redeem(world, application, code)
    assert answer.status_code == 200, answer.json
    assert isinstance(answer.json, dict)
    return answer.json


def refresh(
    world: World, token: str, application: Application = COMMAND_LINE, **fields: Any
) -> TestResponse:
    form = {"grant_type": "refresh_token", "refresh_token": token, **application.fields, **fields}
    return world.token_call(form, auth=application.auth)


def refreshed(answer: TestResponse) -> dict[str, Any]:
    """The body of a success."""
    assert answer.status_code == 200, answer.json
    assert isinstance(answer.json, dict)
    return answer.json


def refused(answer: TestResponse, error: str = "invalid_grant", status: int = 400) -> None:
    """This error, and no token with it."""
    assert isinstance(answer.json, dict)
    assert (answer.status_code, answer.json["error"]) == (status, error), answer.json
    assert not {"access_token", "refresh_token", "id_token"} & answer.json.keys()


def revoke(
    world: World, token: str, application: Application = COMMAND_LINE, **fields: str
) -> TestResponse:
    return world.client.post(
        "/oauth2/revoke",
        data={"token": token, **application.fields, **fields},
        headers={} if application.auth is None else {"Authorization": basic(*application.auth)},
    )


def is_active(world: World, token: str) -> bool:
    """What introspection says to the token's own subject: itself, by bearing the token."""
    answer = world.client.post(
        "/oauth2/introspect", data={"token": token}, headers={"Authorization": f"Bearer {token}"}
    )
    return answer.status_code == 200 and bool(answer.json["active"])


def built_anew(world: World, **changes: Any) -> World:
    """The application once more on the same store, as after a restart or in another worker."""
    runtime = world.runtime
    app = create_app(
        runtime.settings,
        clock=changes.pop("clock", world.clock),
        ring=changes.pop("ring", lambda: RING),
        pepper=b"a pepper of thirty-two bytes ...",
        passwords=runtime.passwords,
        fetch=changes.pop("fetch", outbound.fetch),
    )
    return replace(world, app=app, runtime=runtime_of(app), **changes)


def elsewhere(world: World) -> World:
    """The same application through a browser of one's own: for another thread."""
    return replace(world)


def in_parallel(count: int, call: Callable[[int], Result]) -> list[Result]:
    """Call so many times at the same moment, each in a thread of its own."""
    start = threading.Barrier(count)
    results: dict[int, Result] = {}
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            start.wait(PATIENCE)
            results[number] = call(number)
        except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    if errors:
        raise errors[0]
    return [results[number] for number in range(count)]


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread to get where the test needs it."""
    pause = threading.Event()
    for _ in range(PATIENCE * 1000):
        if condition():
            return
        pause.wait(0.001)
    raise AssertionError("another thread never got there")


def change_password(world: World, user_id: str, password: str) -> None:
    """A new password for an IAM user or a root user."""
    with world.runtime.database.read() as connection:
        user = rows.find_user(connection, user_id) or rows.find_root_by_user_id(connection, user_id)
    assert user is not None
    accounts.reset_password(world.runtime, user, password)
