"""What the container runs, run without one: unprivileged, on a tree that it cannot write to."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from pathlib import Path

from tests.packaged import dockerfile
from tests.packaged.conftest import UNPRIVILEGED, as_nobody
from tests.support.processes import DEADLINE, ROOT, free_port, until

GENERATED = ("--generate-password", "--json")
IMAGE = dockerfile.read(ROOT / "Dockerfile")


def environment(installed: Path, state: Path, port: int) -> dict[str, str]:
    """The image's own variables, its two volumes being folders of ours."""
    own = {
        name: value.replace("/opt/crossroot", str(installed / "venv"))
        .replace("/data", str(state / "data"))
        .replace("/keys", str(state / "keys"))
        .replace("$PATH", os.environ["PATH"])
        for name, value in IMAGE.env.items()
    }
    return {**own, "CROSSROOT_PORT": str(port), "CROSSROOT_ISSUER": f"http://127.0.0.1:{port}"}


def test_the_image_runs_as_nobody_in_particular() -> None:
    assert IMAGE.user == f"{UNPRIVILEGED}:{UNPRIVILEGED}"
    assert IMAGE.build_stages == 2


def test_init_serve_and_the_health_check(installed: Path, state: Path) -> None:
    env = environment(installed, state, free_port())
    crossroot = str(installed / "venv/bin/crossroot")
    cwd = state / "data"
    init = subprocess.run(
        [
            crossroot,
            "init",
            "--account-id",
            "1000",
            "--email",
            "root@example.com",
            "--generate-password",
            "--json",
        ],
        env=env,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
        **as_nobody(),
    )
    assert init.returncode == 0, init.stderr
    assert json.loads(init.stdout)["account"]["account_id"] == "1000"

    assert IMAGE.command == ["crossroot", "serve"]
    serving = subprocess.Popen(
        [crossroot, *IMAGE.command[1:]], env=env, cwd=cwd, stderr=subprocess.DEVNULL, **as_nobody()
    )
    try:
        until(lambda: healthy(env, installed) or serving.poll() is not None, "a healthy server")
        assert serving.poll() is None
        issuer = env["CROSSROOT_ISSUER"]
        with urllib.request.urlopen(f"{issuer}/.well-known/openid-configuration") as answer:
            assert json.load(answer)["issuer"] == issuer
        # Templates and static files travel in the wheel too.
        with urllib.request.urlopen(f"{issuer}/sign-in") as answer:
            assert b"csrf_token" in answer.read()
    finally:
        serving.terminate()
        assert serving.wait(DEADLINE) == 0
    assert not healthy(env, installed)


def healthy(env: dict[str, str], installed: Path) -> bool:
    """The image's own health check."""
    check = [str(installed / "venv/bin/python"), *IMAGE.health[1:]]
    return subprocess.run(check, env=env, capture_output=True, check=False).returncode == 0
