"""Reading the last stage of the Dockerfile: what a container would run, as whom, with what."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Image:
    """The image's defaults. `command` is ENTRYPOINT and CMD together."""

    env: dict[str, str]
    user: str
    command: list[str]
    health: list[str]
    build_stages: int


def read(path: Path) -> Image:
    text = path.read_text("utf-8").replace("\\\n", " ")
    stages = re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]
    last = stages[-1].splitlines()
    words = [line.partition(" ") for line in last]
    found = {name: rest.strip() for name, _, rest in words}
    env = dict(pair.split("=", 1) for pair in found["ENV"].split())
    health = found["HEALTHCHECK"].partition("CMD ")[2]
    return Image(
        env=env,
        user=found["USER"],
        command=[*json.loads(found["ENTRYPOINT"]), *json.loads(found["CMD"])],
        health=json.loads(health),
        build_stages=len(stages),
    )
