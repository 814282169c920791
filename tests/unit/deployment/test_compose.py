"""docker-compose.yml: valid, hardened, as the owner's architecture says, and of one mind with the settings."""

import json
import re
from itertools import chain
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from infra.deployment.secrets import GIVEN, PREVIOUS, rendered, wanted
from riskee import __version__
from riskee.certificates import AUTHORITY, SERVERS
from riskee.settings import Settings, load_settings
from tests.conftest import REPOSITORY
from tests.unit.deployment.compose import DAGSTER, SERVING, compose, environment, filled, services, variables
from tests.unit.deployment.planted import plant

SCHEMA = Path(__file__).parent / "schema" / "compose-spec.json"
ALL = sorted(services())
APPS = sorted(services(SERVING) | services(DAGSTER))
MIB = {"G": 1024, "M": 1}
# The owner's table: container, image, ports, memory in MiB (the limit, not Redis' maxmemory), processors.
OWNERS = {
    "timescaledb": ("riskee_timescaledb", "timescale/timescaledb", ["5432:5432"], 2048, "2"),
    "redis": ("riskee_redis", "redis", ["6379:6379"], 8192, None),
    "nats": ("riskee_nats", "nats", ["4222:4222", "8222:8222"], 1024, None),
    "qdrant": ("riskee_qdrant", "qdrant/qdrant", ["6333:6333", "6334:6334"], 2048, None),
    "ollama": ("riskee_ollama", "ollama/ollama", ["11434:11434"], 8192, None),
    "prometheus": ("riskee_prometheus", "prom/prometheus", ["9090:9090"], None, None),
    "grafana": ("riskee_grafana", "grafana/grafana", ["3001:3000"], None, None),
}
# Ends after its work, as a job does.
JOBS = {"volumes", "migrate", "bootstrap", "ollama-model", "cli", "restore"}
# Their images have nothing to ask with: Prometheus, which scrapes them, tells whether they answer.
WITHOUT_TOOLS = {"postgres-exporter", "redis-exporter", "nats-exporter", "node-exporter"}


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    plant(tmp_path)
    return tmp_path


def mib(text: str) -> int:
    return int(text[:-1]) * MIB[text[-1]]


def limits(service: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = service["deploy"]["resources"]["limits"]
    return found


def test_it_is_a_compose_file() -> None:
    validator = jsonschema_rs.Draft7Validator(json.loads(SCHEMA.read_text()))
    # The schema knows numbers only where compose fills in a variable.
    text = json.loads(json.dumps(compose()).replace('"${PREDICTORS:-2}"', "2"))
    assert [f"{list(error.instance_path)}: {error.message[:200]}" for error in validator.iter_errors(text)] == []


@pytest.mark.parametrize("name", OWNERS)
def test_the_owners_services_are_there(name: str) -> None:
    container, image, ports, memory, cpus = OWNERS[name]
    service = compose()["services"][name]
    assert service["container_name"] == container
    assert service["image"].partition(":")[0] == image
    assert service["ports"] == ["${BIND:-127.0.0.1}:" + port for port in ports]
    assert memory is None or mib(limits(service)["memory"]) >= memory
    assert cpus is None or limits(service)["cpus"] == cpus


def test_the_owners_network_database_and_durations_are_there() -> None:
    network = compose()["networks"]["riskee_network"]
    assert (network["name"], network["driver"]) == ("riskee_network", "bridge")
    assert network["ipam"]["config"] == [{"subnet": "172.20.0.0/16"}]
    assert compose()["services"]["timescaledb"]["image"].endswith("-pg16")
    assert "maxmemory 8gb" in (REPOSITORY / "infra" / "redis" / "redis.conf").read_text()
    assert "--storage.tsdb.retention.time=15d" in compose()["services"]["prometheus"]["command"]
    assert compose()["services"]["ollama-gpu"]["profiles"] == ["gpu"]


@pytest.mark.parametrize("name", ALL)
def test_every_container_is_held_short(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["CHOWN"] if name == "volumes" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "pid", "ipc", "devices", "env_file"} & set(service)
    assert mib(limits(service)["memory"]) > 0
    assert float(limits(service)["cpus"]) > 0
    # Qdrant's image is the one that runs as a user of its own without being told.
    user = service.get("user", "1000:1000" if "unprivileged" in service["image"] else "0")
    assert (user.partition(":")[0] == "0") == (name == "volumes")
    assert ("networks" in service) != (service.get("network_mode") == "none")
    mounts = [mount for mount in map(filled, service.get("volumes", [])) if mount.startswith((".", "/"))]
    assert all(mount.endswith(":ro") and mount.startswith("./infra/") for mount in mounts), "nothing of the machine"


@pytest.mark.parametrize("name", ALL)
def test_every_container_that_stays_says_whether_it_is_well(name: str) -> None:
    service = services()[name]
    assert ("healthcheck" in service) == (name not in JOBS | WITHOUT_TOOLS)
    assert (service["restart"] == "unless-stopped") == (name not in JOBS)


def test_every_image_has_a_version() -> None:
    for name, service in services().items():
        _, _, tag = service["image"].partition(":")
        assert re.search(r"\d+\.\d+", tag), name
        assert "latest" not in tag
        if name in APPS:
            assert tag == __version__


@pytest.mark.parametrize("name", APPS)
def test_the_settings_take_what_a_service_is_told(name: str, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = told(name, secrets, monkeypatch)
    assert settings.profile == "compose"
    role = settings.database.url.get_secret_value()
    assert "@timescaledb:5432/riskee" in role
    assert "planted-secret" in role, "its password comes from a file"


def told(name: str, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    given = environment(name, {"/run/secrets": str(secrets)})
    files = [value for key, value in given.items() if key.endswith("_FILE")]
    assert {Path(file).name for file in files} <= set(services()[name]["secrets"]), "a file that is not mounted"
    for key, value in given.items():
        monkeypatch.setenv(key, value)
    return load_settings()


@pytest.mark.parametrize("name", ["ingest", "predict", "record", "explain", "api"])
def test_a_service_is_asked_at_the_port_of_the_settings(
    name: str, secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = told(name, secrets, monkeypatch)
    port = settings.api.port if name == "api" else getattr(settings.metrics, f"{name}_port")
    assert settings.metrics.host == "0.0.0.0"
    assert services()[name]["healthcheck"]["test"][-1].startswith(f"http://127.0.0.1:{port}/health/")
    assert services()[name]["command"] == [
        "python",
        "-m",
        "serving.api" if name == "api" else f"serving.consumers.{name}",
    ]


def test_the_api_is_published_where_it_listens_and_asks_for_keys(
    secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = told("api", secrets, monkeypatch)
    assert services()["api"]["ports"] == [f"${{BIND:-127.0.0.1}}:{settings.api.port}:{settings.api.port}"]
    assert settings.api.host == "0.0.0.0"
    assert settings.api.guard.key_pepper is not None


def test_users_have_the_names_of_their_services() -> None:
    for name, service in services(SERVING).items():
        for key, value in service["environment"].items():
            if match := re.search(r"//(?:riskee_)?(\w+)@", str(value)):
                assert match[1] == name, key
    for name in services(DAGSTER):
        told_of = environment(name, {})
        role = {"wal-receiver": "riskee_backup", "restore": "postgres"}.get(name, "riskee_dagster")
        assert f"//{role}@" in told_of["RISKEE_DATABASE__URL"]


def test_a_restore_comes_before_the_job_that_gives_rights(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The schema that `migrate` makes would be in its way; and it is no service that is up by itself."""
    restore = services()["restore"]
    assert set(restore["depends_on"]) == {"timescaledb", "nats", "qdrant"}
    assert restore["profiles"] == services()["cli"]["profiles"]
    assert not [name for name, each in services().items() if "restore" in each.get("depends_on", {})]
    assert all(volume.endswith(":ro") for volume in restore["volumes"]), "it reads backups"
    settings, makes = told("restore", secrets, monkeypatch), told("dagster-code", secrets, monkeypatch)
    assert (settings.backup.target, settings.backup.key) == (makes.backup.target, makes.backup.key)
    assert settings.backup.database_url is None, "the role of backups only reads"


def test_dagster_pages_stay_on_this_machine() -> None:
    """Its webserver asks nobody who he is."""
    assert services()["dagster-webserver"]["ports"] == ["127.0.0.1:3000:3000"]


def test_every_secret_is_made_declared_and_mounted_where_it_is_needed() -> None:
    declared = compose()["secrets"]
    mounted = chain.from_iterable(service.get("secrets", []) for service in services().values())
    names = {each["source"] if isinstance(each, dict) else each for each in mounted}
    values = dict.fromkeys(wanted(), "x")
    made = {*GIVEN, *wanted(), *PREVIOUS.values(), *rendered(values)}
    assert names <= set(declared)
    assert set(declared) == made
    assert {filled(each["file"]) for each in declared.values()} == {f"./secrets/{name}" for name in declared}
    superusers = {name for name, each in services().items() if "postgres_postgres" in each.get("secrets", [])}
    assert superusers == {"timescaledb", "migrate", "restore"}


def test_no_secret_has_a_default() -> None:
    text = (REPOSITORY / "docker-compose.yml").read_text() + (REPOSITORY / ".env.example").read_text()
    assert "riskee123" not in text
    assert not [name for name in variables() if re.search("PASSWORD|TOKEN|SECRET$|KEY", name)]
    assert not re.search(r"(?i)(password|api_key|token)\w*: [^{/&\n]*\w{6}", re.sub(r"/run/secrets/\S+", "", text))


def test_the_example_names_every_variable() -> None:
    example = (REPOSITORY / ".env.example").read_text()
    named = set(re.findall(r"(?m)^#?([A-Z_]+)=", example))
    assert named == set(variables()) | {"COMPOSE_PROFILES"}
    for name, default in re.findall(r"(?m)^#([A-Z_]+)=(.*)$", example):
        assert variables()[name] in (default, ""), f"{name}: what is commented out is the default"


def test_what_is_mounted_is_there() -> None:
    for service in services().values():
        for mount in map(filled, service.get("volumes", [])):
            source = mount.partition(":")[0]
            if source.startswith("./"):
                assert (REPOSITORY / source).exists(), source
            else:
                assert source in compose()["volumes"], source


def test_dependencies_are_there_and_are_waited_for() -> None:
    for name, service in services().items():
        for needed, how in service.get("depends_on", {}).items():
            other = services()[needed]
            assert ("healthcheck" in other) == (how["condition"] == "service_healthy"), f"{name} → {needed}"
            if other.get("profiles"):
                assert how["required"] is False


def test_the_file_for_tls_is_a_compose_file_of_the_same_services() -> None:
    validator = jsonschema_rs.Draft7Validator(json.loads(SCHEMA.read_text()))
    assert [error.message[:200] for error in validator.iter_errors(encrypted())] == []
    assert set(encrypted()["services"]) <= set(ALL)
    # Certificates of the servers in it, as `riskee certs` makes them.
    files = {Path(filled(each["file"])).name for each in encrypted()["secrets"].values()}
    assert files == {f"{AUTHORITY}.pem", *(f"{name}.{end}" for name in SERVERS for end in ("pem", "key"))}


@pytest.mark.parametrize("name", [*APPS])
def test_with_tls_no_link_of_a_service_is_left_plain(name: str, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told(name, secrets, monkeypatch)
    changes = encrypted()["services"][name]["environment"]
    for key, value in changes.items():
        monkeypatch.setenv(key, value)
    settings = load_settings()
    plain = environment(name, {})
    assert changes["PGSSLMODE"] == "verify-full"
    assert "RISKEE_NATS__URL" not in plain or settings.nats.url.get_secret_value().startswith("tls://")
    links = (settings.nats, settings.redis, settings.vectors)
    assert {link.authority for link in links} == {Path("/run/secrets/tls_authority")}
    assert name == "cli" or "SSL_CERT_FILE" not in changes, "it would take the place of all other authorities"
    backup = settings.backup
    for url, scheme in ((backup.nats_url, "tls://"), (backup.redis_url, "rediss://")):
        assert url is None or url.get_secret_value().startswith(scheme)
    assert "RISKEE_REDIS__URL" not in plain or settings.redis.url.get_secret_value().startswith("rediss://")
    assert "RISKEE_VECTORS__URL" not in plain or settings.vectors.url.startswith("https://")
    assert name != "api" or settings.api.tls.key is not None
    # Users and places stay: only the scheme differs.
    for key in changes.keys() & plain.keys():
        assert changes[key].partition("://")[2] == plain[key].partition("://")[2], key


def test_with_tls_postgresql_lets_the_same_roles_in() -> None:
    plain, tls = ((REPOSITORY / "infra" / "postgres" / name).read_text() for name in ("pg_hba.conf", "pg_hba_tls.conf"))
    rows = [re.findall(r"(?m)^host\w*\s+(.*)$", text) for text in (plain, tls)]
    assert rows[0] == rows[1]
    assert not re.search(r"(?m)^host ", tls)


def encrypted() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.tls.yml").read_text())
    return loaded


def test_what_prometheus_scrapes_is_there() -> None:
    folder = REPOSITORY / "infra" / "prometheus"
    files = sorted((folder / "targets").glob("*-compose.yml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text())]
    addresses = {address for group in groups for address in group["targets"]}
    jobs = yaml.safe_load((folder / "prometheus.yml").read_text())["scrape_configs"]
    found = [each for job in jobs for each in job.get("dns_sd_configs", [])]
    addresses |= {f"{name}:{each['port']}" for each in found for name in each["names"]}
    assert {address.partition(":")[0] for address in addresses} <= set(ALL)
    assert "predict:9102" in addresses
    # Of several containers behind a name each must be asked.
    several = {name for name, each in services().items() if each["deploy"].get("replicas")}
    assert several == {name for each in found for name in each["names"]}
    keys = {Path(job["authorization"]["credentials_file"]).name for job in jobs if "authorization" in job}
    assert keys == {"metrics_token", "qdrant_read_key"} == set(services()["prometheus"]["secrets"])


def test_with_tls_prometheus_scrapes_the_same_of_what_asks_for_a_key() -> None:
    folder = REPOSITORY / "infra" / "prometheus"
    mounted = {volume.split(":")[0] for volume in encrypted()["services"]["prometheus"]["volumes"]}
    assert mounted == {f"./infra/prometheus/tls/{file.name}" for file in (folder / "tls").iterdir()}
    for file in (folder / "tls").iterdir():
        plain, tls = (yaml.safe_load((folder / kind / file.name).read_text()) for kind in ("targets", "tls"))
        secured = [{**group, "labels": {**group["labels"], "__scheme__": "https"}} for group in plain]
        assert tls == secured


def test_who_only_searches_has_qdrants_key_for_reading() -> None:
    holders = {
        key: {name for name, each in services().items() if key in each.get("secrets", [])}
        for key in ("qdrant_api_key", "qdrant_read_key")
    }
    making = {"bootstrap", "cli", "restore", "dagster-code", "dagster-webserver", "dagster-daemon"}
    assert holders == {"qdrant_api_key": making, "qdrant_read_key": {"explain", "prometheus"}}
