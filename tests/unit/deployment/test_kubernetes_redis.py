"""infra/kubernetes: Redis with its Sentinels, by the files of infra/redis, and how the services find the master."""

import re
from pathlib import Path

import pytest
import yaml

from infra.deployment.secrets import PREVIOUS, wanted
from riskee.settings import load_settings
from riskee.storage.sentinels import master_name
from tests.conftest import REPOSITORY
from tests.unit.deployment.planted import plant
from tests.unit.deployment.test_kubernetes import FINDER, SERVERS, container, of

REDIS = REPOSITORY / "infra" / "redis"


def told(name: str) -> dict[str, str]:
    """What a container is told by itself."""
    return {each["name"]: str(each.get("value")) for each in container(name)["env"]}


@pytest.mark.parametrize("name", FINDER)
def test_the_sentinels_are_asked_where_they_are(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = of("ConfigMap", "riskee-settings")["data"] | told(name)
    plant(tmp_path)
    for secret in (*wanted(), *PREVIOUS.values()):
        (tmp_path / secret).write_text(f"of {secret}")
    for key, value in given.items():
        monkeypatch.setenv(key, value.replace("/run/secrets", str(tmp_path)))
    redis = load_settings().redis
    pods_of = of("StatefulSet", "redis-sentinel")["spec"]
    service = of("Service", pods_of["serviceName"])["spec"]
    (port,) = (each["port"] for each in service["ports"])
    wanted_addresses = [f"redis-sentinel-{i}.{pods_of['serviceName']}:{port}" for i in range(pods_of["replicas"])]
    assert list(redis.sentinels) == wanted_addresses
    assert redis.sentinel_user == "finder"
    assert redis.sentinel_password is not None
    assert redis.sentinel_password.get_secret_value() == "of redis_finder"
    assert f"sentinel monitor {master_name(redis)} " in (REDIS / "sentinel.conf").read_text()


def test_the_scripts_of_redis_are_told_what_they_need() -> None:
    """And the names of the servers are those that the Sentinels begin with."""
    for name, script in (("redis", "server.sh"), ("redis-sentinel", "sentinel.sh")):
        assert container(name)["command"] == ["sh", f"/etc/riskee/{script}"]
        text = (REDIS / script).read_text()
        used = set(re.findall(r"\$\{?([A-Z]+)", text))
        # An authority is named where they speak TLS.
        assert used - {"AUTHORITY"} == set(told(name)) - {"POD_NAME"}
        service = of("Service", of("StatefulSet", name)["spec"]["serviceName"])
        assert told(name)["ADDRESS"] == f"$(POD_NAME).{service['metadata']['name']}"
        assert service["spec"]["publishNotReadyAddresses"] is True
    (watched,) = re.findall(r"(?m)^sentinel monitor \S+ (\S+ \d+) 2$", (REDIS / "sentinel.conf").read_text())
    assert told("redis")["FIRST"] == watched == "redis-0.redis 6379"
    (config,) = [
        each["files"]
        for each in yaml.safe_load((SERVERS / "kustomization.yaml").read_text())["configMapGenerator"]
        if each["name"] == "redis-config"
    ]
    assert {each.partition("=")[0] for each in config} == {"redis.conf", "server.sh", "sentinel.sh"}


def test_a_majority_of_sentinels_survives_a_disruption() -> None:
    assert of("StatefulSet", "redis-sentinel")["spec"]["replicas"] == 3
    for name in ("redis", "redis-sentinel"):
        assert of("PodDisruptionBudget", name)["spec"]["maxUnavailable"] == 1
