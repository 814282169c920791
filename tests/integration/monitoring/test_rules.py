"""Prometheus' own tools on the rules, the configuration and the exposition; Alertmanager's on the routes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.integration.monitoring.programs import ALERTMANAGER, PROMETHEUS, tool

pytestmark = pytest.mark.integration
ALERTS = PROMETHEUS / "rules" / "alerts.yml"


def run(name: str, *arguments: object, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [str(tool(name)), *map(str, arguments)]
    return subprocess.run(command, input=given, capture_output=True, check=False)


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    return (done.stdout + done.stderr).decode()


def test_the_configuration_is_valid() -> None:
    done = run("promtool", "check", "config", "--syntax-only", PROMETHEUS / "prometheus.yml")
    assert done.returncode == 0, said(done)


def test_the_rules_are_valid() -> None:
    done = run("promtool", "check", "rules", *(PROMETHEUS / "rules").glob("*.yml"))
    assert done.returncode == 0, said(done)


def test_each_alert_fires_when_it_should_and_only_then() -> None:
    done = run("promtool", "test", "rules", PROMETHEUS / "tests" / "alerts.yml")
    assert done.returncode == 0, said(done)


def test_the_cases_notice_rules_that_are_wrong(tmp_path: Path) -> None:
    """A threshold that is missed, a comparison that is never true, one that waits too long."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "tests").mkdir()
    for file in ("rules/recording.yml", "tests/alerts.yml"):
        (tmp_path / file).write_text((PROMETHEUS / file).read_text())
    rules = ALERTS.read_text()
    wrongs = (
        (" > 0.9", " > 0.96"),
        ("up == 0 or absent(", "up == 2 or absent("),
        ("for: 10m", "for: 45m"),
        ('(count(up{job="predict"} == 1) or vector(0))', 'count(up{job="predict"} == 1)'),
        ("unless on ()", "or on ()"),
        ("> 1200", "> 2000"),
    )
    for right, wrong in wrongs:
        assert right in rules
        rules = rules.replace(right, wrong)
    (tmp_path / "rules" / "alerts.yml").write_text(rules)
    done = run("promtool", "test", "rules", tmp_path / "tests" / "alerts.yml")
    assert done.returncode != 0
    noticed = set(re.findall(r"alertname: (\w+)", said(done)))
    assert noticed == {
        "DiskAlmostFull", "ServiceDown", "ErrorRateHigh", "CacheHitRateLow", "PredictorsMissing", "BackupTooOld",
        "LogShippingLate",
    }  # fmt: skip


# In a process of its own: with a sample of every metric, for what has none is not looked at.
_EVERY_METRIC = """
from prometheus_client.metrics import MetricWrapperBase
from riskee import telemetry
for metric in vars(telemetry).values():
    if isinstance(metric, MetricWrapperBase) and metric._labelnames:
        metric.labels(*("1" for _ in metric._labelnames))
print(telemetry.exposition().decode())
"""


def test_the_exposition_keeps_the_conventions() -> None:
    every = subprocess.run([sys.executable, "-c", _EVERY_METRIC], check=True, capture_output=True, timeout=60)
    done = run("promtool", "check", "metrics", given=every.stdout)
    assert (done.returncode, said(done)) == (0, "")


def test_alertmanagers_configuration_is_valid() -> None:
    done = run("amtool", "check-config", ALERTMANAGER / "alertmanager.yml")
    assert done.returncode == 0, said(done)


def test_every_alert_reaches_who_should_know() -> None:
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        for rule in group["rules"]:
            severity = rule["labels"]["severity"]
            configuration = f"--config.file={ALERTMANAGER / 'alertmanager.yml'}"
            labels = (f"alertname={rule['alert']}", f"severity={severity}")
            done = run("amtool", "config", "routes", "test", configuration, *labels)
            assert done.stdout.decode().strip() == ("critical" if severity == "critical" else "warnings")


def test_a_missing_program_is_named_with_where_to_get_it(tmp_path: Path) -> None:
    script = "from pathlib import Path\nfrom infra.prometheus.tools import require\nrequire('promtool', Path('.'))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env={"PATH": "", "PYTHONPATH": str(REPOSITORY)},
        capture_output=True, check=False,
    )  # fmt: skip
    assert b"promtool is not installed" in done.stderr
    assert b"make tools" in done.stderr
