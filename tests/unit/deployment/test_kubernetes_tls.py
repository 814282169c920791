"""infra/kubernetes/tls: every link is encrypted, every file that is named is mounted, every name is certified."""

import copy
import importlib
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from riskee.settings import Settings, load_settings
from tests.unit.deployment.planted import plant
from tests.unit.deployment.test_cluster_schemas import faults, values
from tests.unit.deployment.test_kubernetes import (
    FOLDER,
    KUBECTL,
    SERVERS,
    SERVICES,
    VALIDATE,
    container,
    resources,
)

TLS = FOLDER / "tls"
PARTS = ("servers", "base", "restore", "keys")
CLIENTS = (*SERVICES, "migrate", "restore", "keys")
SECURED = {"nats": "tls", "redis": "rediss", "http": "https", "postgresql+psycopg": "postgresql+psycopg"}
SCHEMA_OF = {"Certificate": "certmanager", "Issuer": "certmanager", "Cluster": "cloudnativepg", "ScaledObject": "keda"}
# The operator's own: the certificate of its authority.
MADE_ELSEWHERE = {"riskee-db-ca": {"ca.crt"}}
OF_A_CERTIFICATE = {"ca.crt", "tls.crt", "tls.key"}
needs_kubectl = pytest.mark.skipif(KUBECTL is None, reason="there is no kubectl")
Resource = dict[str, Any]


@cache
def rendered(part: str) -> tuple[Resource, ...]:
    """What kustomize makes of a folder."""
    command = [str(KUBECTL), "kustomize", "--load-restrictor", "LoadRestrictionsNone", str(TLS / part)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def everything() -> list[Resource]:
    """All three parts; what is in several of them once."""
    found = {(each["kind"], each["metadata"]["name"]): each for part in PARTS for each in rendered(part)}
    return [*found.values()]


def pods() -> dict[str, Resource]:
    kinds = {"Deployment", "StatefulSet", "Job"}
    return {
        each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in everything() if each["kind"] in kinds
    }


def one(kind: str, name: str) -> Resource:
    (found,) = [each for each in everything() if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def certificates() -> dict[str, Resource]:
    """What each certificate is asked to be, by the secret that holds it."""
    specs = [each["spec"] for each in resources(TLS / "servers") if each["kind"] == "Certificate"]
    return {spec["secretName"]: spec for spec in specs}


def secret_files(volume: Resource) -> dict[str, str]:
    """The files of a volume of secrets, and the secret that each is of."""
    sources = volume.get("projected", {}).get("sources", [])
    secrets = [source["secret"] for source in sources] or [volume["secret"]] if "emptyDir" not in volume else []
    files: dict[str, str] = {}
    for secret in secrets:
        name = secret.get("secretName") or secret["name"]
        keys = OF_A_CERTIFICATE if name in certificates() else MADE_ELSEWHERE.get(name)
        items = secret.get("items") or [{"key": key, "path": key} for key in keys or ()]
        assert keys is None or {item["key"] for item in items} <= keys
        files |= {item["path"]: name for item in items}
    return files


def mounted(volumes: list[Resource], mounts: list[Resource]) -> dict[str, str]:
    """Every file of a secret that a container sees, by its path, and the secret."""
    by_name = {volume["name"]: volume for volume in volumes}
    held = {mount["mountPath"]: by_name[mount["name"]] for mount in mounts if mount["name"] in by_name}
    secrets = {path: volume for path, volume in held.items() if {"secret", "projected"} & set(volume)}
    return {
        f"{path}/{file}": secret for path, volume in secrets.items() for file, secret in secret_files(volume).items()
    }


def named(*texts: object) -> set[str]:
    """The files below /run that a text names."""
    return set(re.findall(r"/run/[\w./-]+\w", yaml.safe_dump(texts)))


def settings_map() -> dict[str, str]:
    return dict(one("ConfigMap", "riskee-settings")["data"])


@needs_kubectl
def test_what_is_rendered_fits_its_schemas() -> None:
    assert {kind: [] for kind in SCHEMA_OF} == {
        kind: [fault for each in everything() if each["kind"] == kind for fault in faults(SCHEMA_OF[kind], each)]
        for kind in SCHEMA_OF
    }
    assert {each["kind"] for each in everything()} >= set(SCHEMA_OF)


@needs_kubectl
@pytest.mark.skipif(VALIDATE is None, reason="`make deployment` installs kubernetes-validate")
def test_what_kubernetes_defines_fits_its_schemas() -> None:
    validate = importlib.import_module("kubernetes_validate").validate
    for each in everything():
        if each["kind"] not in SCHEMA_OF:
            validate(each, "1.34", strict=True)


@pytest.mark.parametrize(
    "changes", [{"dnsName": "nats"}, {"secretName": 1}, {"duration": "1y"}, {"privateKey": {"algorithm": "EC"}}]
)
def test_a_slip_in_a_certificate_is_found(changes: Resource) -> None:
    (certificate, *_) = [each for each in resources(TLS / "servers") if each["kind"] == "Certificate"]
    changed = copy.deepcopy(certificate)
    changed["spec"] |= changes
    assert faults("certmanager", certificate) == []
    assert faults("certmanager", changed)


@needs_kubectl
@pytest.mark.parametrize("name", [*CLIENTS, "nats", "redis", "redis-sentinel"])
def test_every_file_that_a_pod_is_told_of_is_mounted(name: str) -> None:
    pod = pods()[name]
    (own,) = pod["containers"]
    told = [own.get(part) for part in ("command", "args", "env", "livenessProbe")]
    if name in CLIENTS:
        told.append(settings_map())
    if name == "nats":
        told.append((TLS / "servers" / "tls.conf").read_text())
    files = mounted(pod["volumes"], own["volumeMounts"])
    folders = {"/run/secrets"}
    assert named(told) - folders <= set(files)
    of_certificates = {path for path, secret in files.items() if secret in {*certificates(), *MADE_ELSEWHERE}}
    assert of_certificates - named(told) <= {"/run/tls/ca.crt", "/run/certificate/ca.crt"}, "what nobody reads"
    assert of_certificates


@needs_kubectl
def test_nobody_but_cert_manager_sees_the_authoritys_key() -> None:
    for name, pod in pods().items():
        (own,) = pod["containers"]
        of_authority = {
            path for path, of in mounted(pod["volumes"], own["volumeMounts"]).items() if of == "riskee-authority"
        }
        assert of_authority <= {"/run/trust/authority.crt"}, name


def told_to(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    plant(tmp_path)
    (own,) = pods()[name]["containers"]
    for key, value in (settings_map() | {each["name"]: each["value"] for each in own["env"]}).items():
        monkeypatch.setenv(key, value.replace("/run/secrets", str(tmp_path)))
    return load_settings()


@needs_kubectl
@pytest.mark.parametrize("name", CLIENTS)
def test_no_link_of_a_service_is_left_plain(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The addresses are those of the plain base, but for the scheme; certified for the names in them."""
    (own,) = pods()[name]["containers"]
    plain = {each["name"]: str(each.get("value")) for each in container(name)["env"]}
    urls = {each["name"]: each["value"] for each in own["env"] if each["name"].endswith("__URL")}
    beyond = {"RISKEE_LLM__URL", "RISKEE_DAGSTER__URL"}  # which have no TLS of their own
    assert set(urls) == {key for key in plain if key.endswith("__URL")}
    for key in set(urls) - beyond:
        scheme, rest = plain[key].split(":", 1)
        assert urls[key] == f"{SECURED[scheme]}:{rest}"
    settings = told_to(name, tmp_path, monkeypatch)
    trusted = {settings.nats.authority, settings.redis.authority, settings.vectors.authority}
    assert trusted == {Path("/run/trust/authority.crt")}
    assert (settings_map()["PGSSLMODE"], settings_map()["PGSSLROOTCERT"]) == (
        "verify-full",
        "/run/trust/postgresql.crt",
    )
    known = {dns for spec in certificates().values() for dns in spec.get("dnsNames", ())}
    # The operator certifies riskee-db-rw; riskee-redis is what the Sentinels call the master.
    asked = {urlsplit(urls[key]).hostname for key in set(urls) - beyond} - {"riskee-db-rw", "riskee-redis"}
    assert asked | {each.split(":")[0] for each in settings.redis.sentinels} <= known


@needs_kubectl
def test_servers_reach_each_other_by_names_that_are_certified() -> None:
    plain, secured = container("nats")["args"], pods()["nats"]["containers"][0]["args"]
    assert [each.replace("/tls.conf", "/nats.conf") for each in secured] == plain
    routed = re.findall(r"(nats-\d\.[\w-]+):6222", " ".join(secured))
    assert len(routed) == 3
    assert set(routed) <= set(certificates()["nats-tls"]["dnsNames"])
    assert "client auth" in certificates()["nats-tls"]["usages"], "a server shows it to the others"
    for name in ("redis", "redis-sentinel"):
        (service,) = [
            each for each in resources(SERVERS) if each["kind"] == "StatefulSet" and each["metadata"]["name"] == name
        ]
        pods_of = {f"{name}-{i}.{service['spec']['serviceName']}" for i in range(service["spec"]["replicas"])}
        assert pods_of <= set(certificates()["redis-tls"]["dnsNames"])
    nodes = {f"qdrant-{i}.qdrant-headless" for i in range(values("qdrant")["replicaCount"])}
    assert nodes <= set(certificates()["qdrant-tls"]["dnsNames"])


@needs_kubectl
@pytest.mark.parametrize(("name", "script"), [("redis", "server.sh"), ("redis-sentinel", "sentinel.sh")])
def test_redis_listens_with_tls_alone(name: str, script: str) -> None:
    (own,) = pods()[name]["containers"]
    assert own["command"] == container(name)["command"] == ["sh", f"/etc/riskee/{script}"]
    options = dict(zip(own["args"][::2], own["args"][1::2], strict=True))
    assert options["--port"] == "0"
    assert options["--tls-port"] == str(own["ports"][0]["containerPort"])
    assert options["--tls-replication"] == "yes", "and to the others"
    assert "--tls --cacert /run/tls/ca.crt" in own["livenessProbe"]["exec"]["command"][-1]


@needs_kubectl
def test_postgresql_and_the_api_take_nobody_without_tls() -> None:
    lines = one("Cluster", "riskee-db")["spec"]["postgresql"]["pg_hba"]
    assert lines[:2] == ["hostnossl all all all reject", "hostnossl replication all all reject"]
    assert all(line.startswith("hostssl ") for line in lines[2:])
    (plain,) = [each for each in resources(SERVERS) if each["kind"] == "Cluster"]
    assert lines[2:] == [line.replace("host ", "hostssl ") for line in plain["spec"]["postgresql"]["pg_hba"]]
    (own,) = pods()["api"]["containers"]
    for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
        assert own[probe]["httpGet"] == container("api")[probe]["httpGet"] | {"scheme": "HTTPS"}


def merged(base: Any, over: Any) -> Any:
    """As Helm merges a second file of values: maps by their keys, anything else is replaced."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return base | {key: merged(base.get(key), value) for key, value in over.items()}


def secured_values(chart: str) -> Resource:
    over = yaml.safe_load((TLS / "values" / f"{chart}.yaml").read_text())
    return dict(merged(values(chart), over))


def test_the_charts_read_what_their_values_say() -> None:
    for chart in ("dagster", "qdrant"):
        assert faults(chart, secured_values(chart)) == []


def test_qdrant_has_its_certificate_and_speaks_tls_to_its_nodes_too() -> None:
    given = secured_values("qdrant")
    files = mounted(given["additionalVolumes"], given["additionalVolumeMounts"])
    assert set(given["config"]["tls"].values()) == set(files)
    assert set(files.values()) == {"qdrant-tls"}
    assert given["config"]["service"]["enable_tls"] is True
    assert given["config"]["cluster"] == {"enabled": True, "p2p": {"enable_tls": True}}


def test_dagster_is_what_it_was_with_other_addresses_and_whom_to_trust() -> None:
    plain, secured = values("dagster"), secured_values("dagster")
    (before,), (after,) = (each["dagster-user-deployments"]["deployments"] for each in (plain, secured))
    schemes = {"nats://": "tls://", "redis://": "rediss://", "http://qdrant": "https://qdrant"}
    for old, new in zip(before["env"], after["env"], strict=True):
        expected = old["value"]
        for scheme, with_tls in schemes.items():
            expected = expected.replace(scheme, with_tls)
        assert (new["name"], new["value"]) == (old["name"], expected)
    own = {"env", "volumes", "volumeMounts"}
    assert {key: value for key, value in after.items() if key not in own} == {
        key: value for key, value in before.items() if key not in own
    }
    assert [each for each in after["volumes"] if each["name"] != "trust"] == before["volumes"]
    trusted = {path for key, path in yaml.safe_load((TLS / "settings.yaml").read_text())["data"].items() if "/" in path}
    assert trusted == {"/run/trust/authority.crt", "/run/trust/postgresql.crt"}
    for pod in (after, secured["dagsterWebserver"], secured["dagsterDaemon"]):
        assert pod["envConfigMaps"] == [{"name": "riskee-settings"}]
        files = set(mounted(pod["volumes"], pod["volumeMounts"]))
        assert trusted <= files
        assert named(pod.get("env", [])) <= files
