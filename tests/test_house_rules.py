"""The rules of the house that no linter knows. What they are for is in docs/architecture.md."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ADAPTERS = "app/oauth/authlib_adapters.py"
MOST_LINES = 300
JUNK_DRAWERS = {"common", "helper", "helpers", "misc", "shared", "stuff", "util", "utils"}
DOORS = ("oauth", "management", "evaluation", "console")
# Modules through which a clock, chance, or the world outside would get into a rule.
IMPURE = {"os", "pathlib", "random", "secrets", "socket", "subprocess", "time", "uuid"}
NETWORK = {"urllib.request", "urllib.error"}
CLOCKS = {"now", "today", "utcnow"}
PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----(?:\s|\\n)*[A-Za-z0-9+/]{40}")
PRIVATE_JWK = re.compile(rb'"d"\s*:\s*"[A-Za-z0-9_-]{40}')


def committed_files() -> list[Path]:
    """What is committed or is about to be; in a copy without git, everything outside hidden,
    `keys` and `var` folders."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode == 0:
        names = [Path(name) for name in listing.stdout.decode().split("\0") if name]
    else:
        names = [path.relative_to(ROOT) for path in ROOT.rglob("*")]
        names = [name for name in names if not name.parts[0].startswith((".", "keys", "var"))]
        names = [n for n in names if not {"__pycache__", "node_modules"}.intersection(n.parts)]
    return sorted(ROOT / name for name in names if (ROOT / name).is_file())


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported_names(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Each import as (the name that it binds, the dotted name of what it is)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                yield bound, alias.name
        elif isinstance(node, ast.ImportFrom):
            package = "." * node.level + (node.module or "")
            for alias in node.names:
                yield alias.asname or alias.name, f"{package}.{alias.name}"


def is_inside(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def subclasses_of_authlib(source: str) -> list[str]:
    tree = ast.parse(source)
    theirs = {bound for bound, module in imported_names(tree) if is_inside(module, "authlib")}
    return [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).partition(".")[0] in theirs for base in node.bases)
    ]


def impurities(source: str) -> list[str]:
    """What in this source is not standard library, not of the domain, or not pure."""
    tree = ast.parse(source)
    found = [
        module
        for _, module in imported_names(tree)
        if not is_inside(module, "app.domain")
        and (
            module.partition(".")[0] not in sys.stdlib_module_names
            or module.partition(".")[0] in IMPURE
            or module in NETWORK
        )
    ]
    found += [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in CLOCKS
    ]
    return found


def test_only_the_adapters_subclass_authlib() -> None:
    found = {
        name_of(path): subclasses_of_authlib(path.read_text())
        for path in python_files("app", "examples")
        if name_of(path) != ADAPTERS
    }

    assert {name: classes for name, classes in found.items() if classes} == {}


@pytest.mark.parametrize(
    "source",
    [
        "from authlib.oauth2.rfc6749 import grants\nclass X(grants.BaseGrant): ...",
        "from authlib.oauth2.rfc6749 import ClientMixin as Mixin\nclass X(Mixin): ...",
        "import authlib.oauth2\nclass X(authlib.oauth2.OAuth2Request): ...",
    ],
)
def test_a_subclass_of_authlib_is_noticed(source: str) -> None:
    assert subclasses_of_authlib(source) == ["X"]


def test_the_domain_is_pure() -> None:
    found = {name_of(path): impurities(path.read_text()) for path in python_files("app/domain")}

    assert found
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from time import time",
        "import pydantic",
        "from app.settings import Settings",
        "from app import storage",
        "from .. import storage",
        "import datetime\ndatetime.datetime.now(datetime.UTC)",
        "from datetime import date\ndate.today()",
    ],
)
def test_an_impure_domain_is_noticed(source: str) -> None:
    assert impurities(source)


def test_doors_touch_neither_storage_nor_database() -> None:
    forbidden = ("app.storage", "sqlalchemy", "flask_sqlalchemy")
    found = [
        (name_of(path), module)
        for path in python_files(*(f"app/{door}" for door in DOORS))
        for _, module in imported_names(ast.parse(path.read_text()))
        if is_inside(module, *forbidden)
    ]

    assert found == []


@pytest.mark.parametrize("folder", ["app/verifier", "examples"])
def test_a_resource_server_needs_the_verifier_alone(folder: str) -> None:
    found = [
        (name_of(path), module)
        for path in python_files(folder)
        for _, module in imported_names(ast.parse(path.read_text()))
        if is_inside(module, "app") and not is_inside(module, "app.verifier")
    ]

    assert found == []


def test_files_are_short_enough_to_read_at_one_sitting() -> None:
    lengths = {
        name_of(path): len(path.read_text().splitlines())
        for path in python_files("app", "examples")
        if "migrations/versions" not in name_of(path)
    }

    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_junk_drawers() -> None:
    names = {part for path in committed_files() for part in path.relative_to(ROOT).parts}

    assert {name for name in names if name.partition(".")[0].lower() in JUNK_DRAWERS} == set()


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in python_files("tests")}

    assert [name_of(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_no_private_key_is_committed() -> None:
    assert [
        name_of(path)
        for path in committed_files()
        if PRIVATE_KEY.search(path.read_bytes()) or PRIVATE_JWK.search(path.read_bytes())
    ] == []


def test_a_private_key_is_noticed() -> None:
    for kind in (b"", b"EC ", b"RSA ", b"ENCRYPTED "):
        marker = b"-----BEGIN " + kind + b"PRIVATE KEY-----"
        assert PRIVATE_KEY.search(marker + b"\n" + b"A" * 64)
        assert PRIVATE_KEY.search(b'"' + marker + b"\\n" + b"A" * 64)
    assert PRIVATE_JWK.search(b'{"kty": "OKP", "d":"' + b"A" * 43)


def test_of_the_keys_folder_only_the_explanation_is_committed() -> None:
    committed = {name_of(path) for path in committed_files() if path.parent == ROOT / "keys"}

    assert committed <= {"keys/.gitignore", "keys/README.md"}
    assert (ROOT / "keys" / ".gitignore").read_text().splitlines()[1:] == [
        "*",
        "!.gitignore",
        "!README.md",
    ]


@pytest.mark.parametrize("name", ["runtime", "dev", "sdk", "lock"])
def test_lock_files_are_hashed_and_name_no_address(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    requirements = re.split(r"\n(?=\S)", text)

    assert [line for line in text.splitlines() if "://" in line or "index-url" in line] == []
    assert [entry for entry in requirements if not re.match(r"\S+==\S+", entry)] == []
    assert [entry for entry in requirements if "--hash=sha256:" not in entry] == []


def test_the_lock_files_of_npm_are_hashed_and_name_no_registry() -> None:
    locks = [path for path in committed_files() if path.name == "package-lock.json"]
    packages = [
        (name_of(path), name, entry)
        for path in locks
        for name, entry in json.loads(path.read_text())["packages"].items()
        if name
    ]

    assert packages
    assert [(file, name) for file, name, entry in packages if "resolved" in entry] == []
    assert [(file, name) for file, name, entry in packages if "integrity" not in entry] == []


def test_production_installs_what_the_project_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "requirements" / "runtime.in").read_text().splitlines()

    assert [line for line in lines if not line.startswith("#")] == project["dependencies"]


def test_tests_run_on_the_versions_that_production_runs_on() -> None:
    versions = re.compile(r"^(\S+==\S+)", re.MULTILINE)
    runtime, dev = (
        set(versions.findall((ROOT / "requirements" / f"{name}.txt").read_text()))
        for name in ("runtime", "dev")
    )

    assert runtime - dev == set()
