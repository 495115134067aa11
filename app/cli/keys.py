"""`crossroot keys`: the keys that tokens are signed with."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from app.cli.errors import CannotDo
from app.cli.output import iso, json_option, say, table
from app.cli.state import has_store, opened, settings_of, unchecked
from app.services import keys
from app.services.runtime import Runtime
from app.settings import Settings
from app.storage import schema
from app.tokens.keyring import ALGORITHMS, KeyRing, SigningKey, generate

_KID_LENGTH = 43


class KidCommand(click.Command):
    """A command on a KID, which may begin with a hyphen as options do. Its options are flags."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options = {name for parameter in self.get_params(ctx) for name in parameter.opts}
        end = args.index("--") if "--" in args else len(args)
        kids = [each for each in args[:end] if each not in options and _may_be_kid(each)]
        others = [each for each in args[:end] if each not in kids]
        return super().parse_args(ctx, [*others, "--", *kids, *args[end + 1 :]])


def _may_be_kid(argument: str) -> bool:
    """Whether it is none of an option; a misspelt `--force` still counts as one."""
    return not argument.startswith("--") or len(argument) == _KID_LENGTH


@click.group("keys")
def command() -> None:
    """List, make and rotate signing keys.

    A key's life: `generate` publishes it, `promote` lets it sign once it is known, `retire` takes
    its private half away, `revoke` ends all that it signed.
    """


@command.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """List the signing keys with their state: active (signs), next, retired."""
    settings = settings_of()
    ring = KeyRing.load(settings.keys_dir)
    rows = [
        (key.kid, key.alg, key.state, iso(key.created_at), _note(settings, ring, key))
        for key in ring.keys
    ]
    say(
        as_json,
        {"keys": [_as_data(settings, ring, key) for key in ring.keys]},
        table(("KID", "ALGORITHM", "STATE", "CREATED", "NOTE"), rows),
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
            "It is published and does not sign yet: the JWKS may be kept for 5 minutes, so "
            f"resource servers know it from {iso(keys.may_sign_from(key))} on.",
            f"Next, after that: crossroot keys promote {key.kid}",
        )
    data = _as_data(settings, KeyRing.load(settings.keys_dir), key)
    say(as_json, data, f"Made {alg} key {key.kid}.", *then)


@command.command("promote", cls=KidCommand)
@click.argument("kid")
@click.option("--force", is_flag=True, help="Do not wait until resource servers know it.")
@json_option
def promote_key(kid: str, force: bool, as_json: bool) -> None:
    """Let the published key KID sign; the newest key of an algorithm does."""
    with _runtime() as runtime:
        key = keys.promote(runtime, kid, force=force)
        settings, now = runtime.settings, runtime.now()
    ring = KeyRing.load(settings.keys_dir)
    signer = ring.signer(key.alg)
    others = [each.kid for each in _active(ring, key.alg) if each.kid != signer.kid]
    if signer.kid == kid:
        lines = [
            f"Promoted: key {kid} signs {key.alg} from now on; a running server notices within a "
            "second.",
        ]
        if now < keys.may_sign_from(key):
            lines.append(
                "Resource servers that keep the JWKS may refuse its tokens until they look again, "
                "for 5 minutes at most."
            )
        for other in others:
            lines += [
                f"Key {other} signs no more and stays published, so that what it signed is still "
                "believed.",
                f"Next: crossroot keys retire {other}",
            ]
    else:
        lines = [
            f"Promoted: key {kid} may sign {key.alg}, but key {signer.kid} is newer and signs.",
            f"To let it sign: crossroot keys retire {signer.kid}",
        ]
    say(as_json, {**_as_data(settings, ring, key), "superseded": others}, *lines)


@command.command("retire", cls=KidCommand)
@click.argument("kid")
@json_option
def retire_key(kid: str, as_json: bool) -> None:
    """Let the key KID sign no more; what it signed is believed until it expires."""
    with _runtime() as runtime:
        key = keys.retire(runtime, kid)
        settings = runtime.settings
    ring = KeyRing.load(settings.keys_dir)
    say(
        as_json,
        _as_data(settings, ring, key),
        f"Retired: key {kid} signs no more and its private half is gone; "
        f"key {ring.signer(key.alg).kid} signs {key.alg}.",
        "It stays published until it is revoked. The last token that it signed ends by "
        f"{iso(keys.last_token_ends(settings, key))} at the latest.",
        f"Next, after that: crossroot keys revoke {kid}",
    )


@command.command("revoke", cls=KidCommand)
@click.argument("kid")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def revoke_key(kid: str, yes: bool, as_json: bool) -> None:
    """Remove the key KID at once: nothing that it signed is believed any more."""
    with _runtime() as runtime:
        settings = runtime.settings
        key = keys.require_revocable(runtime, kid)
        effect = _effect_of_revoking(settings, key, runtime.now())
        if not yes:
            _confirm(f"Revoke the {key.state} {key.alg} key {kid}? {effect} It cannot be undone.")
        key = keys.revoke(runtime, kid)
    say(
        as_json,
        {"kid": key.kid, "alg": key.alg, "state": "revoked", "was": key.state},
        f"Revoked: the {key.alg} key {kid} is gone from the JWKS; a running server notices within "
        "a second.",
        effect,
    )


def _effect_of_revoking(settings: Settings, key: SigningKey, now: int) -> str:
    if key.state == "next":
        return "It has signed nothing yet."
    if key.state == "retired" and keys.last_token_ends(settings, key) <= now:
        return "The last token that it signed has ended."
    return (
        "Every token that it signed is refused; resource servers that keep the JWKS follow once "
        "they look again, within 5 minutes."
    )


def _confirm(question: str) -> None:
    """Raises `CannotDo` for a no, and UsageError where there is nobody to ask."""
    if not sys.stdin.isatty():
        raise click.UsageError("no terminal to ask whether you are sure: use --yes")
    if not click.confirm(question, err=True):
        raise CannotDo("nothing was changed")


@contextmanager
def _runtime() -> Iterator[Runtime]:
    """A runtime for one step. Raises `CannotDo` also where the step was made but not recorded."""
    try:
        with opened() as runtime:
            yield runtime
    except keys.NotRecorded as error:
        raise CannotDo(str(error)) from None


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


def _active(ring: KeyRing, alg: str) -> list[SigningKey]:
    return [key for key in ring.keys if key.state == "active" and key.alg == alg]


def _signs(ring: KeyRing, key: SigningKey) -> bool:
    """Whether it is the one that signs: of several active keys the newest does."""
    return key.alg in ring.algorithms and ring.signer(key.alg).kid == key.kid


def _note(settings: Settings, ring: KeyRing, key: SigningKey) -> str:
    """What the state means for this key, and until when."""
    if key.state == "next":
        return f"may sign from {iso(keys.may_sign_from(key))}"
    if key.state == "retired":
        return f"published for tokens that end by {iso(keys.last_token_ends(settings, key))}"
    return "signs" if _signs(ring, key) else "a newer key signs; retire it"


def _as_data(settings: Settings, ring: KeyRing, key: SigningKey) -> dict[str, object]:
    is_next, is_retired = key.state == "next", key.state == "retired"
    return {
        "kid": key.kid,
        "alg": key.alg,
        "state": key.state,
        "created_at": iso(key.created_at),
        "signs": _signs(ring, key),
        "may_sign_from": iso(keys.may_sign_from(key)) if is_next else None,
        "last_token_ends": iso(keys.last_token_ends(settings, key)) if is_retired else None,
    }
