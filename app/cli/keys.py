"""`crossroot keys`: the keys that tokens are signed with."""

from __future__ import annotations

import time

import click

from app.cli.output import iso, json_option, say, table
from app.cli.state import has_store, settings_of, unchecked
from app.services import keys
from app.settings import Settings
from app.storage import schema
from app.tokens.keyring import ALGORITHMS, KeyRing, SigningKey, generate


@click.group("keys")
def command() -> None:
    """List and make signing keys."""


@command.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """List the signing keys with their state: active (signs), next, retired."""
    ring = KeyRing.load(settings_of().keys_dir)
    rows = [(key.kid, key.alg, key.state, iso(key.created_at)) for key in ring.keys]
    say(
        as_json,
        {"keys": [_as_data(key) for key in ring.keys]},
        table(("KID", "ALGORITHM", "STATE", "CREATED"), rows),
    )


@command.command("generate")
@click.option(
    "--alg",
    type=click.Choice(ALGORITHMS),
    help="The algorithm; without it CROSSROOT_SIGNING_ALGORITHM.",
)
@click.option("--activate", is_flag=True, help="Sign with it at once.")
@json_option
def generate_key(alg: str | None, activate: bool, as_json: bool) -> None:
    """Make a signing key.

    It is published in the JWKS first and does not sign, so that resource servers come to know
    it; the first key of an algorithm signs at once.
    """
    settings = settings_of()
    alg = alg or settings.signing_algorithm
    signs = activate or not has_active(settings, alg)
    key = generate(settings.keys_dir, alg, time.time(), "active" if signs else "next")
    _record(settings, key)
    if signs:
        then = (
            "It signs from now on; a running server notices within a second.",
            "Resource servers that keep the JWKS for a while meet it when they look again.",
        )
    else:
        then = (
            "It is published and does not sign yet. Once resource servers know it (the JWKS may "
            "be kept for 5 minutes),",
            f"move {settings.keys_dir}/next/{key.kid}.pem to {settings.keys_dir}/active/.",
        )
    say(as_json, _as_data(key), f"Made {alg} key {key.kid}.", *then)


def has_active(settings: Settings, alg: str) -> bool:
    """Whether there is a key that signs with this algorithm. Raises `KeyRingError`."""
    return settings.keys_dir.is_dir() and alg in KeyRing.load(settings.keys_dir).algorithms


def make_missing(settings: Settings) -> list[SigningKey]:
    """The keys that a server needs: its own algorithm, and RS256 for ID tokens of those who ask.

    Returns the ones that were made. Raises `KeyRingError`.
    """
    needed = dict.fromkeys((settings.signing_algorithm, "RS256"))
    return [
        generate(settings.keys_dir, alg, time.time(), "active")
        for alg in needed
        if not has_active(settings, alg)
    ]


def _record(settings: Settings, key: SigningKey) -> None:
    """Write it into the audit log, if there is one yet."""
    if not (has_store(settings) and has_active(settings, settings.signing_algorithm)):
        return
    with unchecked(settings) as runtime:
        if schema.is_current(runtime.database):
            keys.record_generated(runtime, key)


def _as_data(key: SigningKey) -> dict[str, object]:
    return {
        "kid": key.kid,
        "alg": key.alg,
        "state": key.state,
        "created_at": iso(key.created_at),
    }
