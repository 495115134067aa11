"""`crossroot serve` with every logger at its loudest, those of the libraries included."""

from __future__ import annotations

import sys
from typing import Any

from app.cli import main, serving

LOGGERS = (
    "alembic",
    "app",
    "asyncio",
    "authlib",
    "flask_sqlalchemy",
    "granian",
    "granian.access",
    "joserfc",
    "sqlalchemy",
    "sqlalchemy.engine",
    "sqlalchemy.pool",
    "werkzeug",
)
_quiet = serving.logging_config


def _loud() -> dict[str, Any]:
    config = _quiet()
    config["root"]["level"] = "DEBUG"
    config["loggers"].update({name: {"level": "DEBUG", "propagate": True} for name in LOGGERS})
    return config


if __name__ == "__main__":
    serving.logging_config = _loud
    sys.exit(main(["serve", "--access-log"]))
