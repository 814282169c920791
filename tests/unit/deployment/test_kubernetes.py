"""infra/kubernetes: valid, of one mind with docker-compose.yml and the settings, and as tightly held."""

import importlib
import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.deployment.secrets import GIVEN, PREVIOUS, rendered, wanted
from riskee.settings import load_settings
from tests.conftest import REPOSITORY
from tests.unit.deployment import compose
from tests.unit.deployment.planted import plant

FOLDER = REPOSITORY / "infra" / "kubernetes"
BASE, SERVERS, RESTORE, KEYS = (FOLDER / name for name in ("base", "servers", "restore", "keys"))
ALL = (BASE, SERVERS, RESTORE, KEYS)
KUBECTL = shutil.which("kubectl")
VALIDATE = importlib.util.find_spec("kubernetes_validate")
FOREIGN = {"ScaledObject", "Cluster"}
SERVICES = ("ingest", "predict", "record", "explain", "api")
# Redis is several here, and in docker-compose.yml one: who asks the Sentinels, and what the servers tell each other.
FINDER = {name: {"redis_finder"} for name in ("predict", "explain", "api")}
MORE_SECRETS = FINDER | {"redis": {"redis_finder", "redis_replica.conf"}}
# Those that compose does not have, or not alone.
OWN_SECRETS = {
    "redis-sentinel": {"redis_finder", "redis_sentinels.acl", "redis_sentinel.conf"},
    "keys": {"postgres_riskee_dagster", "api_key_pepper"},
}


def resources(*folders: Path) -> list[dict[str, Any]]:
    """All that the files of the folders declare."""
    files = [file for folder in folders for file in sorted(folder.glob("*.yaml")) if file.stem != "kustomization"]
    return [each for file in files for each in yaml.safe_load_all(file.read_text())]


def named(folder: Path) -> list[str]:
    """The files of which a folder's kustomization makes resources."""
    return list(yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"])


def of(kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in resources(*ALL) if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def pods() -> dict[str, dict[str, Any]]:
    """The pods' templates by name."""
    kinds = {"Deployment", "StatefulSet", "Job"}
    return {r["metadata"]["name"]: r["spec"]["template"]["spec"] for r in resources(*ALL) if r["kind"] in kinds}


def container(name: str) -> dict[str, Any]:
    (found,) = pods()[name]["containers"]
    return dict(found)


@pytest.mark.skipif(VALIDATE is None, reason="`make deployment` installs kubernetes-validate")
def test_what_kubernetes_defines_fits_its_schemas() -> None:
    validate = importlib.import_module("kubernetes_validate").validate
    core = [each for each in resources(*ALL) if each["kind"] not in FOREIGN]
    assert len(core) > 20
    for each in core:
        validate(each, "1.34", strict=True)


@pytest.mark.skipif(KUBECTL is None, reason="there is no kubectl")
@pytest.mark.parametrize("folder", ALL, ids=lambda folder: folder.name)
def test_kustomize_renders_it(folder: Path) -> None:
    command = [str(KUBECTL), "kustomize", "--load-restrictor", "LoadRestrictionsNone", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kinds = [each["kind"] for each in yaml.safe_load_all(done.stdout)]
    files = [folder / name for name in named(folder)]
    declared = [each["kind"] for file in files for each in yaml.safe_load_all(file.read_text())]
    made_of_files = ["ConfigMap"] * (2 if folder == SERVERS else 0)
    assert sorted(kinds) == sorted(declared + made_of_files)


def test_every_file_is_named() -> None:
    for folder in ALL:
        own = {name for name in named(folder) if not name.startswith("../")}
        assert {*own, "kustomization.yaml"} == {file.name for file in folder.glob("*.yaml")}


@pytest.mark.parametrize("name", [*SERVICES, "migrate", "restore"])
def test_a_service_is_that_of_compose(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = container(name), compose.services()[name]
    command = [*theirs.get("entrypoint", []), *theirs["command"]] if name == "restore" else theirs["command"]
    assert (ours["image"], [*ours["command"], *ours.get("args", [])]) == (theirs["image"], command)
    given = of("ConfigMap", "riskee-settings")["data"] | {each["name"]: str(each["value"]) for each in ours["env"]}
    told = compose.environment(name, {})
    # The database's log is the operator's to keep there.
    left_out = {key for key, value in told.items() if value == ""} | {"RISKEE_BACKUP__WAL_FOLDER"}
    assert set(told) - set(given) <= left_out
    hosts = {"timescaledb": "riskee-db-rw", "redis": "riskee-redis"}
    for key, value in told.items():
        if "__URL" in key:
            assert given[key] == re.sub(r"@(\w+):", lambda match: f"@{hosts.get(match[1], match[1])}:", value)
    plant(tmp_path)
    for key, value in given.items():
        monkeypatch.setenv(key, value.replace("/run/secrets", str(tmp_path)))
    settings = load_settings()
    assert (settings.profile, settings.nats.replicas) == ("kubernetes", 3)
    if name in SERVICES:
        port = settings.api.port if name == "api" else getattr(settings.metrics, f"{name}_port")
        assert ours["ports"] == [{"name": "http", "containerPort": port}]
        asked = {kind: ours[f"{kind}Probe"]["httpGet"] for kind in ("readiness", "liveness", "startup")}
        assert {each["port"] for each in asked.values()} == {"http"}
        paths = {kind: each["path"] for kind, each in asked.items()}
        assert paths == {"readiness": "/health/ready", "liveness": "/health/live", "startup": "/health/live"}


def test_what_a_token_must_have_is_set_in_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = {each["name"]: each["value"] for each in container("api")["env"]}
    other = {"ALGORITHM": "RS256", "ISSUER": "https://login.example", "AUDIENCE": "riskee-api"}
    asked = {f"RISKEE_API__JWT__{key}": value for key, value in other.items()}
    assert set(asked) <= set(of("ConfigMap", "riskee-settings")["data"])
    plant(tmp_path)
    # What the pod says itself overrides what the settings say.
    for key, value in (asked | own).items():
        monkeypatch.setenv(key, value.replace("/run/secrets", str(tmp_path)))
    jwt = load_settings().api.jwt
    assert {"ALGORITHM": jwt.algorithm, "ISSUER": jwt.issuer, "AUDIENCE": jwt.audience} == other


@pytest.mark.parametrize("name", sorted(pods()))
def test_a_pod_is_held_short_and_sees_its_own_secrets(name: str) -> None:
    pod, ours = pods()[name], container(name)
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False, "their names look like settings"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert ours["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"memory", "cpu"} == set(ours["resources"]["limits"]) == set(ours["resources"]["requests"])
    assert "latest" not in ours["image"]
    (secret,) = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
    mounted = [item["key"] for item in secret["items"]]
    if name in OWN_SECRETS:
        assert sorted(mounted) == sorted(OWN_SECRETS[name])
    else:
        assert sorted(mounted) == sorted({*compose.services()[name]["secrets"], *MORE_SECRETS.get(name, ())})
    assert all(item["key"] == item["path"] for item in secret["items"])
    assert set(mounted) <= {*GIVEN, *wanted(), *PREVIOUS.values(), *rendered(dict.fromkeys(wanted(), "x"))}


@pytest.mark.parametrize(("name", "theirs"), [("nats", "nats"), ("redis", "redis"), ("redis-sentinel", "redis")])
def test_the_servers_are_those_of_compose(name: str, theirs: str) -> None:
    assert container(name)["image"] == compose.services()[theirs]["image"]


def test_only_what_shares_its_work_has_several_replicas() -> None:
    replicas = {name: of("Deployment", name)["spec"]["replicas"] for name in SERVICES}
    assert replicas == {"ingest": 1, "predict": 2, "record": 2, "explain": 2, "api": 2}
    assert of("ConfigMap", "riskee-settings")["data"]["RISKEE_CONSUMERS__SHARED"] == "true"
    scaled = of("ScaledObject", "predict")["spec"]
    parts = of("ConfigMap", "riskee-settings")["data"]["RISKEE_PREDICT__PARTITIONS"]
    assert scaled["maxReplicaCount"] == int(parts)
    assert scaled["triggers"][0]["metadata"]["consumer"] == f"predict-quotes-0-of-{parts}"


def test_the_one_voice_of_a_feed_ends_before_the_next_begins_and_soon_comes_back() -> None:
    spec = of("Deployment", "ingest")["spec"]
    assert spec["strategy"] == {"type": "Recreate"}
    waits = {each["key"]: each["tolerationSeconds"] for each in spec["template"]["spec"]["tolerations"]}
    assert waits == {"node.kubernetes.io/not-ready": 30, "node.kubernetes.io/unreachable": 30}


@pytest.mark.parametrize("name", ["predict", "record", "explain", "api"])
def test_of_several_all_but_one_stay_and_they_are_spread(name: str) -> None:
    spec = of("Deployment", name)["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    own = {"matchLabels": {"app.kubernetes.io/name": name}}
    assert of("PodDisruptionBudget", name)["spec"] == {"maxUnavailable": 1, "selector": own}
    (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["labelSelector"]) == ("kubernetes.io/hostname", own)


def test_nothing_is_let_through_but_what_is_named() -> None:
    nothing = of("NetworkPolicy", "nothing")["spec"]
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_backups_come_from_any_node() -> None:
    """`samenet` is the network of the server's own pod: a node's share of it, or the pod alone."""
    (line,) = of("Cluster", "riskee-db")["spec"]["postgresql"]["pg_hba"]
    assert line.split() == ["host", "replication", "riskee_backup", "all", "scram-sha-256"]


def test_dagsters_chart_uses_the_image_and_the_settings() -> None:
    values = yaml.safe_load((FOLDER / "values" / "dagster.yaml").read_text())
    (location,) = values["dagster-user-deployments"]["deployments"]
    image = compose.services()["dagster-code"]["image"]
    for each in (location, values["dagsterWebserver"], values["dagsterDaemon"]):
        assert f"{each['image']['repository']}:{each['image']['tag']}" == image
    assert values["runLauncher"]["type"] == "K8sRunLauncher"
    run = values["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]["podSpecConfig"]
    assert run["enableServiceLinks"] is False, "their names look like settings"
    secrets, home = location["volumes"]
    items = {item["path"] for item in secrets["secret"]["items"]}
    assert "postgres_dagster" in items, "the entrypoint reads it"
    assert {Path(each["value"]).name for each in location["env"] if each["name"].endswith("_FILE")} <= items
    assert of("PersistentVolumeClaim", home["persistentVolumeClaim"]["claimName"])["spec"]["accessModes"] == [
        "ReadWriteMany"
    ], "runs are pods on any node"
    mounts = {each["name"]: each["mountPath"] for each in location["volumeMounts"]}
    assert mounts == {"secrets": "/run/secrets", "home": of("ConfigMap", "riskee-settings")["data"]["RISKEE_HOME"]}
    assert location["includeConfigInLaunchedRuns"] == {"enabled": True}, "a run has what the location has"
    assert "riskee.example/client" not in location.get("labels", {}), "the daemon must reach its port"
    assert values["postgresql"]["postgresqlScheme"] == "postgresql+psycopg2"
    told = compose.environment("dagster-code", {})
    for each in location["env"]:
        if each["name"] == "RISKEE_REDIS__SENTINEL_PASSWORD_FILE":  # there is one Redis in compose
            continue
        theirs = each["value"].replace("riskee-db-rw", "timescaledb").replace("riskee-redis", "redis")
        assert told[each["name"]] == theirs
