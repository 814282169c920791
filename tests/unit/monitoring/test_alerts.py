"""Each alert has a page and its cases; what rules and dashboards ask for is declared; what pages tell to run exists."""

import re
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from infra.grafana.dashboards import DASHBOARDS
from riskee.cli.app import app
from riskee.metrics_page import declared
from riskee.reference import settings_rows

ROOT = Path(__file__).parents[3]
PROMETHEUS, RUNBOOKS = ROOT / "infra" / "prometheus", ROOT / "docs" / "runbooks"
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load((PROMETHEUS / "rules" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}
RECORDED = {
    rule["record"]: rule["expr"]
    for group in yaml.safe_load((PROMETHEUS / "rules" / "recording.yml").read_text())["groups"]
    for rule in group["rules"]
}
CASES = yaml.safe_load((PROMETHEUS / "tests" / "alerts.yml").read_text())["tests"]
PAGES = {page.stem: page.read_text() for page in RUNBOOKS.glob("*.md")}
by_alert = pytest.mark.parametrize("name", ALERTS)
by_page = pytest.mark.parametrize("name", PAGES)


def _expected(name: str) -> list[bool]:
    """Whether each case of an alert expects it."""
    cases = chain.from_iterable(case["alert_rule_test"] for case in CASES)
    return [bool(case["exp_alerts"]) for case in cases if case["alertname"] == name]


@by_alert
def test_an_alert_has_a_case_in_which_it_fires_and_one_in_which_not(name: str) -> None:
    assert set(_expected(name)) == {True, False}


@by_alert
def test_an_alert_says_how_grave_it_is_and_what_to_do(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"
    assert rule["annotations"]["summary"]


def test_every_page_is_of_an_alert() -> None:
    assert set(PAGES) == set(ALERTS)


@pytest.mark.parametrize(
    ("name", "severity", "bound", "held"),
    [
        ("ServiceDown", "critical", "== 0", "5m"),
        ("ServerDown", "critical", "== 0", "5m"),
        ("ErrorRateCritical", "critical", "> 0.05", "5m"),
        ("DiskAlmostFull", "critical", "> 0.9", "5m"),
        ("ErrorRateHigh", "warning", "> 0.01", "10m"),
        ("LatencyHigh", "warning", "> 2", "5m"),
        ("CacheHitRateLow", "warning", "< 0.7", "10m"),
    ],
)
def test_the_owners_alerts_are_there(name: str, severity: str, bound: str, held: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] == severity
    assert bound in rule["expr"]
    assert rule["for"] == held


def _asked() -> dict[str, str]:
    """Every query, by where it stands."""
    rules = {name: rule["expr"] for name, rule in ALERTS.items()}
    panels = {
        f"{dashboard.title}: {panel.title}": query
        for dashboard in DASHBOARDS
        for panel in dashboard.panels
        for query in panel.queries.values()
    }
    return {**rules, **RECORDED, **panels}


def test_what_is_asked_for_is_declared() -> None:
    exposed = {metric.name for metric in declared()}
    exposed |= {f"{name}_{part}" for name in exposed for part in ("bucket", "sum", "count")}
    unknown = {
        (place, name)
        for place, query in _asked().items()
        for name in re.findall(r"[a-zA-Z:_][\w:]*", re.sub(r'"[^"]*"', "", query))
        if "riskee_" in name and name not in exposed and name not in RECORDED
    }
    assert unknown == set()


def _commands(command: object, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    found = {path}
    for name, child in getattr(command, "commands", {}).items():
        found |= _commands(child, (*path, name))
    return found


@by_page
def test_a_page_tells_to_run_what_there_is(name: str) -> None:
    commands = _commands(typer.main.get_command(app))
    for words in re.findall(r"`riskee ([a-z -]+)", PAGES[name]):
        told = tuple(word for word in words.split() if not word.startswith("-"))
        assert any(told[:depth] in commands for depth in (1, 2) if depth <= len(told)), f"riskee {words}"
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", PAGES[name])) <= targets


@by_page
def test_a_page_names_what_there_is(name: str) -> None:
    text = PAGES[name]
    settings = {row[0] for row in settings_rows()}
    assert set(re.findall(r"RISKEE_[A-Z_]+", text)) <= settings
    assert set(re.findall(r"`(riskee_[a-z_]+)`", text)) <= {metric.name for metric in declared()}
    dashboards = {dashboard.title for dashboard in DASHBOARDS}
    assert set(re.findall(r"\*([A-Z][a-z ]+)\*", text)) <= dashboards
    for linked in re.findall(r"\]\((\w+)\.md\)", text):
        assert linked in PAGES
    for path in re.findall(r"`(docs/[\w/]+\.md|infra/[\w/]+)`", text):
        assert (ROOT / path).exists()


def test_alerts_know_the_jobs_that_are_scraped() -> None:
    files = (PROMETHEUS / "targets").glob("*-compose.yml")
    groups = chain.from_iterable(yaml.safe_load(file.read_text()) for file in files)
    jobs = {group["labels"]["job"] for group in groups if "labels" in group}
    scraped = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    jobs |= {rule["replacement"] for each in scraped for rule in each.get("relabel_configs", [])}
    assert {"ingest", "predict", "record", "explain", "api", "node", "postgres", "redis", "nats"} <= jobs
