"""What is not Kubernetes' own in infra/kubernetes has the names and types that its operators and charts know."""

import copy
import importlib
import subprocess
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from riskee.settings import load_settings
from tests.unit.deployment.test_kubernetes import (
    BASE,
    FOLDER,
    FOREIGN,
    KUBECTL,
    SERVERS,
    VALIDATE,
    container,
    of,
    resources,
)

SCHEMAS = Path(__file__).parent / "schema"
ARCHIVE = FOLDER / "archive"
SCHEMA_OF = {
    "ScaledObject": "keda",
    "Cluster": "cloudnativepg",
    "ScheduledBackup": "cloudnativepg",
    "ObjectStore": "barman",
}
CHARTS = ("dagster", "qdrant")
Keys = tuple[str | int, ...]


def archive() -> dict[str, dict[str, Any]]:
    """What the folder `archive` adds, by kind; `Cluster` is a patch."""
    return {each["kind"]: each for each in resources(ARCHIVE)}


def foreign() -> dict[str, dict[str, Any]]:
    """Every resource of an operator by its kind, the cluster as the archive patches it."""
    found = {each["kind"]: each for each in resources(BASE, SERVERS) if each["kind"] in FOREIGN} | archive()
    whole = copy.deepcopy(of("Cluster", "riskee-db"))
    whole["spec"] |= archive()["Cluster"]["spec"]
    return found | {"Cluster": whole}


def values(chart: str) -> dict[str, Any]:
    """What a chart is given."""
    return dict(yaml.safe_load((FOLDER / "values" / f"{chart}.yaml").read_text()))


def faults(schema: str, instance: dict[str, Any]) -> list[str]:
    """What a schema has against it."""
    validator = jsonschema_rs.Draft202012Validator(yaml.safe_load((SCHEMAS / f"{schema}.yaml").read_text()))
    return [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(instance)]


def changed(instance: dict[str, Any], path: Keys, value: Any) -> dict[str, Any]:
    """The instance with another value at a path."""
    copied = copy.deepcopy(instance)
    place: Any = copied
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copied


def test_every_resource_of_an_operator_has_a_schema() -> None:
    assert set(SCHEMA_OF) >= FOREIGN
    assert set(foreign()) == set(SCHEMA_OF)
    assert {file.stem for file in (FOLDER / "values").glob("*.yaml")} == set(CHARTS)


@pytest.mark.parametrize("kind", SCHEMA_OF)
def test_a_resource_fits_its_operator(kind: str) -> None:
    assert faults(SCHEMA_OF[kind], foreign()[kind]) == []


@pytest.mark.parametrize("chart", CHARTS)
def test_values_fit_their_chart(chart: str) -> None:
    assert faults(chart, values(chart)) == []


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("ScaledObject", ("spec", "maxReplicas"), 8),
        ("ScaledObject", ("spec", "maxReplicaCount"), "8"),
        ("ScaledObject", ("spec", "triggers", 7, "metadata", "lagThreshold"), 500),
        ("ScaledObject", ("spec", "triggers", 0, "metadata", "durable"), "predict"),
        ("ScaledObject", ("spec", "triggers", 0, "type"), "nats"),
        ("Cluster", ("spec", "replicas"), 3),
        ("Cluster", ("spec", "instances"), 0),
        ("Cluster", ("spec", "postgresql", "parameters", "max_connections"), 200),
        ("Cluster", ("spec", "bootstrap", "initdb", "secret"), "riskee-db-owner"),
        ("Cluster", ("spec", "plugins", 0, "walArchiver"), True),
        ("ScheduledBackup", ("spec", "schedule"), "20 3 * * *"),
        ("ScheduledBackup", ("spec", "method"), "barman"),
        ("ObjectStore", ("spec", "configuration", "serverName"), "riskee-db"),
        ("ObjectStore", ("spec", "configuration", "wal", "compression"), "zip"),
        ("ObjectStore", ("spec", "retentionPolicy"), "28"),
    ],
)
def test_a_slip_in_a_resource_is_found(kind: str, path: Keys, value: object) -> None:
    assert faults(SCHEMA_OF[kind], changed(foreign()[kind], path, value))


@pytest.mark.parametrize(
    ("chart", "path", "value"),
    [
        ("dagster", ("dagsterWebServer",), {}),
        ("dagster", ("dagsterDaemon", "replicaCount"), 1),
        ("dagster", ("dagsterDaemon", "image", "pullPolicy"), "Sometimes"),
        ("dagster", ("runLauncher", "config", "k8sRunLauncher", "runK8sConfig", "podSpec"), {}),
        ("dagster", ("dagster-user-deployments", "deployments", 0, "configMaps"), []),
        ("dagster", ("postgresql", "host"), "riskee-db-rw"),
        ("qdrant", ("replicas",), 3),
        ("qdrant", ("apiKey",), "planted-secret"),
        ("qdrant", ("persistence", "storage"), "10Gi"),
    ],
)
def test_a_slip_in_values_is_found(chart: str, path: Keys, value: object) -> None:
    assert faults(chart, changed(values(chart), path, value))


@pytest.mark.skipif(VALIDATE is None, reason="`make deployment` installs kubernetes-validate")
def test_what_is_kubernetes_own_in_dagsters_values_fits_its_schemas() -> None:
    """The chart hands it on to a pod as it is."""
    validate = importlib.import_module("kubernetes_validate").validate
    given = values("dagster")
    (location,) = given["dagster-user-deployments"]["deployments"]
    launcher = given["runLauncher"]["config"]["k8sRunLauncher"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "run"},
        "spec": {
            **launcher["runK8sConfig"]["podSpecConfig"],
            "volumes": location["volumes"],
            "containers": [
                {
                    "name": location["name"],
                    "image": "an-image",
                    "env": location["env"],
                    "envFrom": [{"configMapRef": each} for each in launcher["envConfigMaps"]],
                    "volumeMounts": location["volumeMounts"],
                }
            ],
        },
    }
    validate(pod, "1.34", strict=True)


def test_qdrant_knows_both_keys_and_who_only_searches_has_the_one_for_reading() -> None:
    given = values("qdrant")
    keys = {name: given[name]["valueFrom"]["secretKeyRef"]["key"] for name in ("apiKey", "readOnlyApiKey")}
    assert keys == {"apiKey": "qdrant_api_key", "readOnlyApiKey": "qdrant_read_key"}
    told = {each["name"]: each["value"] for each in container("explain")["env"]}
    assert told["RISKEE_VECTORS__API_KEY_FILE"] == "/run/secrets/qdrant_read_key"


def test_record_asks_dagsters_webserver_and_is_let_through_to_it() -> None:
    served = values("dagster")["dagsterWebserver"]
    (rule,) = of("NetworkPolicy", "dagster")["spec"]["egress"]
    asked = {each["name"]: each["value"] for each in container("record")["env"]}["RISKEE_DAGSTER__URL"]
    # The chart names its service <release>-<nameOverride>; README.md names the release.
    assert "helm install dagster dagster/dagster" in (FOLDER / "README.md").read_text()
    assert asked == f"http://dagster-{served['nameOverride']}:{served['service']['port']}"
    assert rule["ports"] == [{"protocol": "TCP", "port": served["service"]["port"]}]


def test_predictors_are_scaled_by_every_partition() -> None:
    parts = int(of("ConfigMap", "riskee-settings")["data"]["RISKEE_PREDICT__PARTITIONS"])
    triggers = of("ScaledObject", "predict")["spec"]["triggers"]
    told = [each["metadata"] for each in triggers]
    assert [each["consumer"] for each in told] == [f"predict-quotes-{part}-of-{parts}" for part in range(parts)]
    assert len({tuple(sorted((each | {"consumer": ""}).items())) for each in told}) == 1


def test_collections_are_spread_over_the_nodes_so_that_one_may_be_lost() -> None:
    nodes, told = values("qdrant"), of("ConfigMap", "riskee-settings")["data"]
    assert nodes["config"]["cluster"] == {"enabled": True}
    assert int(told["RISKEE_VECTORS__SHARDS"]) == nodes["replicaCount"]
    assert (
        nodes["podDisruptionBudget"]["maxUnavailable"] < int(told["RISKEE_VECTORS__REPLICAS"]) <= nodes["replicaCount"]
    )


def test_the_archive_is_of_the_database_and_apart_from_what_is_applied_without_a_bucket() -> None:
    added, database = archive(), of("Cluster", "riskee-db")
    (plugin,) = added["Cluster"]["spec"]["plugins"]
    assert set(added["Cluster"]["spec"]) == {"plugins"}, "a patch replaces what it names"
    assert added["Cluster"]["metadata"] == database["metadata"]
    assert plugin["isWALArchiver"] is True
    assert plugin["parameters"] == {"barmanObjectName": added["ObjectStore"]["metadata"]["name"]}
    schedule = added["ScheduledBackup"]["spec"]
    assert schedule["cluster"] == {"name": database["metadata"]["name"]}
    assert schedule["pluginConfiguration"] == {"name": plugin["name"]}
    assert "plugins" not in database["spec"]
    kept = load_settings().backup.keep_weekly
    assert added["ObjectStore"]["spec"]["retentionPolicy"] == f"{kept}w"


@pytest.mark.skipif(KUBECTL is None, reason="there is no kubectl")
def test_kustomize_renders_the_archive_with_the_servers() -> None:
    command = [str(KUBECTL), "kustomize", "--load-restrictor", "LoadRestrictionsNone", str(ARCHIVE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rendered = list(yaml.safe_load_all(done.stdout))
    kinds = sorted(each["kind"] for each in rendered)
    added = [kind for kind in archive() if kind != "Cluster"]
    assert kinds == sorted([*(each["kind"] for each in resources(SERVERS)), *added, "ConfigMap", "ConfigMap"])
    (cluster,) = [each for each in rendered if each["kind"] == "Cluster"]
    assert faults("cloudnativepg", cluster) == []
    assert cluster["spec"] == foreign()["Cluster"]["spec"]
