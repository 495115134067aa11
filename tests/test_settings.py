"""Settings: what an operator may set, and how a mistake is answered."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings, SettingsError, load_settings, setting_docs


def problems_of(**env: str) -> tuple[str, ...]:
    """What `load_settings` says about these variables, named without their prefix."""
    with pytest.raises(SettingsError) as caught:
        load_settings({f"CROSSROOT_{name}": value for name, value in env.items()})
    return caught.value.problems


def test_without_an_environment_the_defaults_suit_ones_own_machine() -> None:
    settings = load_settings({})

    assert settings.environment == "development"
    assert settings.issuer == "http://127.0.0.1:8000"
    assert settings.database_url == "sqlite:///var/crossroot.db"
    assert (settings.keys_dir, settings.var_dir) == (Path("keys"), Path("var"))
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert (settings.workers, settings.threads) == (2, 8)
    assert settings.signing_algorithm == "ES256"
    assert settings.user_token_lifetime == 3600
    assert settings.code_lifetime == 60
    assert settings.session_lifetime == 28800
    assert settings.id_token_lifetime == 3600
    assert (settings.max_body_bytes, settings.max_form_fields) == (65536, 100)


def test_each_value_comes_from_the_variable_of_its_name() -> None:
    settings = load_settings(
        {
            "CROSSROOT_ENVIRONMENT": "production",
            "CROSSROOT_ISSUER": "https://id.example.com/tenants",
            "CROSSROOT_DATABASE_URL": "postgresql+psycopg://db/crossroot",
            "CROSSROOT_KEYS_DIR": "/etc/crossroot/keys",
            "CROSSROOT_PORT": "9000",
            "CROSSROOT_SIGNING_ALGORITHM": "Ed25519",
        }
    )

    assert settings.environment == "production"
    assert settings.issuer == "https://id.example.com/tenants"
    assert settings.database_url == "postgresql+psycopg://db/crossroot"
    assert settings.keys_dir == Path("/etc/crossroot/keys")
    assert settings.port == 9000
    assert settings.signing_algorithm == "Ed25519"


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROOT_PORT", "8123")

    assert load_settings().port == 8123
    assert Settings().port == 8123


def test_a_given_mapping_replaces_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROOT_PORT", "8123")

    assert load_settings({}).port == 8000


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load_settings({"CROSSROOT_PORT": "", "CROSSROOT_ISSUER": ""}) == load_settings({})


def test_other_variables_are_left_alone() -> None:
    env = {"PORT": "x", "CROSSROOT_SERVICE_HOST": "10.0.0.1", "CROSSROOT_PORT_8000_TCP": "y"}

    assert load_settings(env) == load_settings({})


def test_a_misspelt_name_is_refused_with_the_right_one() -> None:
    assert problems_of(ENVIRONMNET="production") == (
        "CROSSROOT_ENVIRONMNET is no setting; did you mean CROSSROOT_ENVIRONMENT?",
    )


def test_every_wrong_variable_is_listed_in_one_message() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"CROSSROOT_PORT": "70000", "CROSSROOT_ENVIRONMENT": "prod"})

    assert str(caught.value) == (
        "Crossroot cannot start: 2 settings are wrong in the environment.\n"
        "  - CROSSROOT_ENVIRONMENT is 'prod'; it must be development or production.\n"
        "  - CROSSROOT_PORT is '70000'; it must be a whole number from 1 to 65535."
    )


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("PORT", 1, 65535),
        ("WORKERS", 1, 64),
        ("THREADS", 1, 64),
        ("USER_TOKEN_LIFETIME", 900, 43200),
        ("CODE_LIFETIME", 1, 60),
        ("SESSION_LIFETIME", 300, 2592000),
        ("ID_TOKEN_LIFETIME", 60, 86400),
        ("MAX_BODY_BYTES", 1024, 16777216),
        ("MAX_FORM_FIELDS", 16, 1000),
    ],
)
def test_numbers_have_bounds(name: str, low: int, high: int) -> None:
    for inside in (low, high):
        settings = load_settings({f"CROSSROOT_{name}": str(inside)})
        assert getattr(settings, name.lower()) == inside
    for outside in (low - 1, high + 1, "many"):
        assert problems_of(**{name: str(outside)}) == (
            f"CROSSROOT_{name} is '{outside}'; it must be a whole number from {low} to {high}.",
        )


def test_a_long_value_is_cut_in_the_message() -> None:
    (problem,) = problems_of(PORT="9" * 500)

    assert f"is '{'9' * 40}…';" in problem


def test_an_unknown_signing_algorithm_is_refused() -> None:
    assert problems_of(SIGNING_ALGORITHM="HS256") == (
        "CROSSROOT_SIGNING_ALGORITHM is 'HS256'; it must be ES256, RS256 or Ed25519.",
    )


@pytest.mark.parametrize(
    "issuer",
    [
        "http://127.0.0.1:8000",
        "http://127.8.9.10",
        "http://localhost:8000",
        "http://[::1]:8000",
        "https://id.example.com",
        "https://id.example.com:8443/path",
    ],
)
def test_development_takes_https_or_a_loopback_host(issuer: str) -> None:
    assert load_settings({"CROSSROOT_ISSUER": issuer}).issuer == issuer


@pytest.mark.parametrize(
    ("issuer", "problem"),
    [
        ("http://id.example.com", "is http on a host that others can reach"),
        ("http://10.0.0.1:8000", "is http on a host that others can reach"),
        ("http://localhost.example.com", "is http on a host that others can reach"),
        ("https://id.example.com/", "ends with a slash"),
        ("https://id.example.com?tenant=1", "has a query or a fragment"),
        ("https://id.example.com?", "has a query or a fragment"),
        ("https://id.example.com#top", "has a query or a fragment"),
        ("https://id.example.com#", "has a query or a fragment"),
        ("https://user@id.example.com", "has a user name in it"),
        ("https://", "is no http or https URL"),
        ("id.example.com", "is no http or https URL"),
        ("ftp://id.example.com", "is no http or https URL"),
        ("HTTPS://id.example.com", "is no http or https URL"),
        ("https://id.example.com:99999", "is no URL"),
        ("https://[::1", "is no URL"),
        ("https://id.example.com\n", "has a space or a character that a URL cannot hold"),
        ("https://id .example.com", "has a space or a character that a URL cannot hold"),
    ],
)
def test_an_issuer_is_a_plain_url(issuer: str, problem: str) -> None:
    assert problems_of(ISSUER=issuer) == (
        f"CROSSROOT_ISSUER {problem}; it must be an https URL without trailing slash, query or "
        "fragment, such as https://id.example.com; in development also http on a loopback host.",
    )


def test_production_refuses_http_even_on_a_loopback_host_and_so_the_default() -> None:
    for env in ({}, {"ISSUER": "http://localhost:8000"}):
        (problem,) = problems_of(ENVIRONMENT="production", **env)
        assert problem.startswith("CROSSROOT_ISSUER is not https, which production needs; ")


@pytest.mark.parametrize(
    "url", ["mysql://db/crossroot", "crossroot.db", "sqlite:/x", "x sqlite://"]
)
def test_only_known_databases_are_taken(url: str) -> None:
    (problem,) = problems_of(DATABASE_URL=url)

    assert problem.startswith("CROSSROOT_DATABASE_URL names no database that Crossroot knows; ")


def test_no_message_shows_a_credential() -> None:
    env = {
        "CROSSROOT_DATABASE_URL": "mysql://crossroot:hunter2@db/crossroot",
        "CROSSROOT_ISSUER": "https://operator:hunter2@id.example.com",
    }

    with pytest.raises(SettingsError) as caught:
        load_settings(env)

    assert len(caught.value.problems) == 2
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_settings_object_does_not_print_the_database_password() -> None:
    settings = Settings(database_url="postgresql://crossroot:hunter2@db/crossroot")

    assert "hunter2" not in repr(settings)
    with pytest.raises(ValidationError) as caught:
        Settings(database_url="mysql://crossroot:hunter2@db/crossroot")
    assert "hunter2" not in str(caught.value)


def test_settings_never_change() -> None:
    settings = load_settings({})

    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 9000  # type: ignore[misc]


def test_loading_makes_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    load_settings({})

    assert list(tmp_path.iterdir()) == []


def test_every_setting_is_documented() -> None:
    docs = {doc.variable: doc for doc in setting_docs()}

    assert len(docs) == len(Settings.model_fields)
    assert all(doc.description.endswith(".") and doc.accepts for doc in docs.values())
    assert docs["CROSSROOT_CODE_LIFETIME"].accepts == "a whole number from 1 to 60"
    assert docs["CROSSROOT_KEYS_DIR"].accepts == "a path"
    assert docs["CROSSROOT_HOST"].default == "127.0.0.1"
