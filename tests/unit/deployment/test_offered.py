"""What .env.example and docs/feeds.md offer reaches the containers of docker-compose.yml."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.deployment.secrets import ALPACA, GIVEN, JWT_KEYS
from riskee.access.exposure import is_open
from riskee.market.sources.alpaca_access import require_keys
from riskee.settings import Settings, load_settings
from serving.api.security.origin import Origins
from tests.conftest import REPOSITORY
from tests.unit.deployment.compose import DAGSTER, SERVING, compose, environment, services
from tests.unit.deployment.planted import plant

OFFERED = re.findall(r"(?m)^#?([A-Z_]+)=", (REPOSITORY / ".env.example").read_text())
# Of these compose itself makes use.
OF_COMPOSE = {"COMPOSE_PROFILES", "SECRETS"}
# Who asks a vendor: for quotes, or for histories.
ASKING_ALPACA = {"ingest", "bootstrap", "dagster-code", "cli"}
NONE: Mapping[str, str] = {}


@pytest.mark.parametrize("variable", [name for name in OFFERED if name not in OF_COMPOSE])
def test_a_variable_of_the_example_reaches_a_container(variable: str) -> None:
    given = re.compile(rf"\$\{{{variable}(:-[^}}]*)?\}}")
    reached = {name for name, service in services().items() if given.search(json.dumps(service))}
    assert reached, "whoever sets it changes nothing"
    if variable.startswith("RISKEE_"):
        told = {name for name in reached if given.search(str(services()[name].get("environment", {}).get(variable)))}
        assert told, "by its own name"


def settings_of(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, files: Mapping[str, str] = NONE, **variables: str
) -> Settings:
    """What a service makes of what it is told, with these texts in its secrets and these variables in `.env`."""
    plant(folder)
    for secret, text in files.items():
        (folder / secret).write_text(text)
    for key, value in (environment(name, {"/run/secrets": str(folder)}) | variables).items():
        monkeypatch.setenv(key, value)
    return load_settings()


@pytest.mark.parametrize("name", sorted(ASKING_ALPACA))
def test_who_asks_alpaca_has_the_key_that_was_written(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(name, tmp_path, monkeypatch, dict(zip(ALPACA, ("the-id\n", "the-secret\n"), strict=True)))
    assert require_keys(settings.alpaca) == ("the-id", "the-secret")


def test_nobody_else_has_alpacas_key() -> None:
    holders = {name for name, service in services().items() if set(ALPACA) & set(map(str, service.get("secrets", [])))}
    assert holders == ASKING_ALPACA


def test_what_the_feeds_page_has_one_set_for_alpaca_is_told_to_the_feed() -> None:
    page = (REPOSITORY / "docs" / "feeds.md").read_text().partition("\n## Alpaca\n")[2]
    table = re.findall(r"(?m)^   \| (`RISKEE_.*?) \|", page)
    wanted_there = set(re.findall(r"RISKEE_\w+", " ".join(table)))
    told = environment("ingest", {})
    assert len(wanted_there) == 6
    assert {name for name in wanted_there if name not in told and f"{name}_FILE" not in told} == set()


def test_the_market_is_the_same_for_all_that_know_one() -> None:
    markets = {
        name: services()[name]["environment"]["RISKEE_MODEL__MARKET_TICKER"]
        for name in services(SERVING) | services(DAGSTER)
    }
    default = Settings(_env_file=None).model.market_ticker
    assert set(markets.values()) == {f"${{RISKEE_MODEL__MARKET_TICKER:-{default}}}"}


def test_the_feed_of_files_is_where_its_folder_is_mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = settings_of("ingest", tmp_path, monkeypatch).feed.file.path
    (mount,) = services()["ingest"]["volumes"]
    assert mount == f"${{FEED_FOLDER:-riskee_feed}}:{path}:ro"
    assert "riskee_feed" in compose()["volumes"]


def test_tokens_are_taken_once_there_are_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert json.loads(GIVEN[JWT_KEYS]) == {}
    none = settings_of("api", tmp_path, monkeypatch)
    assert none.api.jwt.keys == {}
    assert not is_open(none)
    keys = json.dumps({"2026-11": "k" * 32})
    some = settings_of("api", tmp_path, monkeypatch, {JWT_KEYS: keys}, RISKEE_API__JWT__ISSUER="https://login.example")
    assert some.api.jwt.keys["2026-11"].get_secret_value() == "k" * 32


def test_who_calls_the_api_within_compose_is_among_the_names_that_are_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (offered,) = re.findall(r"(?m)^#RISKEE_API__ALLOWED_HOSTS=(.+)$", (REPOSITORY / ".env.example").read_text())
    settings = settings_of("api", tmp_path, monkeypatch, RISKEE_API__ALLOWED_HOSTS=offered).api
    called = f"{environment('cli', {})['RISKEE_API__HOST']}:{settings.port}"
    assert Origins(settings).refusal("GET", {b"host": called.encode()}, page=False) is None
