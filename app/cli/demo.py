"""`crossroot demo`: the story of the guide, served: two root accounts, and a vServer between them.

It serves what it has written to `var/demo.json`, which is there before the first request is
answered. The sample vServer is a program of its own.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import click

import app
from app.cli import demo_story
from app.cli.errors import CannotDo
from app.cli.init import prepare
from app.cli.output import json_option, say
from app.cli.processes import Group, Program
from app.cli.serving import require_free, resolve
from app.cli.state import environment_of, opened, settings_of
from app.settings import Settings

_VSERVER_HOST = "localhost"
_PACKAGE = Path(app.__file__).parent


@click.command("demo")
@click.option("--port", type=click.IntRange(1, 65535), help="The port of the server.")
@click.option(
    "--vserver-port",
    type=click.IntRange(1, 65535),
    envvar="VSERVER_PORT",
    default=8001,
    show_default=True,
    help="The port of the sample vServer.",
)
@click.option("--setup-only", is_flag=True, help="Set the story up and serve nothing.")
@json_option
def command(port: int | None, vserver_port: int, setup_only: bool, as_json: bool) -> None:
    """Set up two root accounts and a service account between them, and serve it all.

    Done again it is the same story: ids stay, and so do passwords and secrets that still work.
    Ctrl-C stops it.
    """
    settings = _settings(port)
    vserver_url = f"http://{_VSERVER_HOST}:{vserver_port}"
    address = resolve(settings.host, settings.port, "CROSSROOT_HOST")
    vserver_address = resolve(_VSERVER_HOST, vserver_port, "the vServer's host")
    if not setup_only:
        require_free(address, settings.port, "--port")
        require_free(vserver_address, vserver_port, "--vserver-port")
    file = settings.var_dir / "demo.json"
    story = _set_up(settings, vserver_url, file)
    data = {"file": str(file), **story}
    if setup_only:
        say(as_json, data, f"Set up; everything is in {file}.", "Next: crossroot demo")
        return
    group = Group()
    programs = [
        _vserver(settings, story, vserver_address, vserver_port),
        _server(settings, address),
    ]
    try:
        if group.start(programs):
            say(as_json, data, *_introduction(story, file))
        group.wait()
    finally:
        group.stop()


def _settings(port: int | None) -> Settings:
    """The settings of the environment, with an issuer that goes with the port."""
    settings = settings_of(port=port)
    if settings.environment == "production":
        raise CannotDo(
            "the demo has known accounts and is not for CROSSROOT_ENVIRONMENT=production"
        )
    if os.environ.get("CROSSROOT_ISSUER"):
        return settings
    return settings_of(port=port, issuer=f"http://127.0.0.1:{settings.port}")


def _set_up(settings: Settings, vserver_url: str, file: Path) -> dict[str, Any]:
    prepare(settings)
    with opened(settings) as runtime:
        story = demo_story.tell(runtime, vserver_url, demo_story.read_last(file))
    demo_story.write(file, story)
    return story


def _server(settings: Settings, address: str) -> Program:
    command = [sys.executable, "-P", "-m", "app.cli", "serve"]
    return Program(
        "the authorization server",
        command,
        {**environment_of(settings), "PYTHONPATH": _python_path()},
        address,
        settings.port,
    )


def _vserver(settings: Settings, story: dict[str, Any], address: str, port: int) -> Program:
    """The sample vServer gets what it needs, and nothing of our own settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CROSSROOT_", "VSERVER_"))
    }
    own = {
        "PYTHONPATH": _python_path(),
        "VSERVER_ISSUER": settings.issuer,
        "VSERVER_CLIENT_ID": story["vserver_client_id"],
        "VSERVER_CLIENT_SECRET": story["vserver_client_secret"],
        "VSERVER_HOST": _VSERVER_HOST,
        "VSERVER_PORT": str(port),
        "VSERVER_ACCOUNT": demo_story.ACCOUNT_B,
    }
    return Program(
        "the sample vServer", [sys.executable, str(sample_folder())], {**kept, **own}, address, port
    )


def sample_folder() -> Path:
    """The folder of the sample vServer: in a checkout, or where a wheel carries it."""
    for folder in (_PACKAGE.parent / "examples" / "vserver", _PACKAGE / "_examples" / "vserver"):
        if (folder / "__main__.py").is_file():
            return folder
    raise CannotDo("the sample vServer is not installed along with this package")


def _python_path() -> str:
    """Both programs find this very package, wherever they are started."""
    inherited = os.environ.get("PYTHONPATH")
    return os.pathsep.join([str(_PACKAGE.parent), *([inherited] if inherited else [])])


def _introduction(story: dict[str, Any], file: Path) -> list[str]:
    """What runs where, who signs in how, and the story itself, to be pasted into a terminal."""
    a, b = story["A"], story["B"]
    return [
        "The demo is running; Ctrl-C stops it.",
        "",
        f"  Authorization server  {story['issuer']}",
        f"  Sample vServer        {story['vserver']}",
        f"  All of this           {file}",
        "",
        f"  Root account A        {a['account_id']}  {a['root_email']}  {a['root_password']}",
        f"    its IAM user        {a['username']}  {a['password']}",
        f"  Root account B        {b['account_id']}  {b['root_email']}  {b['root_password']}",
        f"    its service account {b['service_account_id']}",
        "",
        f"{a['username']} of A signs in, becomes B's service account, and stops a server of B:",
        "",
        *pasteable(story),
        "",
    ]


def _program() -> str:
    """How this program is called from a shell."""
    if shutil.which("crossroot"):
        return "crossroot"
    script = Path(sys.executable).parent / "crossroot"
    return str(script) if script.exists() else f"{sys.executable} -P -m app.cli"


def pasteable(story: dict[str, Any]) -> list[str]:
    """Shell commands that sign in, exchange the token, and use it."""
    a, b = story["A"], story["B"]
    exchange = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "client_id": story["cli_client_id"],
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "requested_subject": b["service_account_id"],
        "display_name": "on-call",
    }
    return [
        f"  TOKEN=$(echo {shlex.quote(a['password'])} | {_program()} login --password-stdin \\",
        f"    --issuer {story['issuer']} \\",
        f"    --root-email {a['root_email']} --username {a['username']})",
        f"  BORROWED=$(curl -s {story['issuer']}/oauth2/token -d subject_token=$TOKEN \\",
        *(f"    -d {name}={value} \\" for name, value in exchange.items()),
        """    | sed 's/.*"access_token": *"\\([^"]*\\)".*/\\1/')""",
        f'  curl -s {story["vserver"]}/v1/servers -H "Authorization: Bearer $BORROWED"',
        f"  curl -s -X POST {story['vserver']}/v1/servers/srv-web-1/stop \\",
        '    -H "Authorization: Bearer $BORROWED"',
    ]
