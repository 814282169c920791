"""From what is scraped to who is told: the real Prometheus with the rules of this repository, made to wait for nothing,
and the real Alertmanager with its routes, which posts to a webhook that listens here.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.prometheus import alertmanager
from infra.prometheus.native import Program, lay_out, running
from tests.conftest import REPOSITORY
from tests.integration.conftest import eventually
from tests.integration.live_processes import free_port
from tests.integration.monitoring.programs import ALERTMANAGER, tool
from tests.integration.monitoring.receiving import Receiver, receiving

pytestmark = pytest.mark.integration
# A feed that is mute beside one that speaks, quotes that are old, dead letters, and predictors that are nowhere.
BAD = """
riskee_feed_status{feed="a",status="feed_mute"} 1
riskee_feed_status{feed="b",status="ok"} 1
riskee_quote_age_seconds{share="0.95"} 1200
riskee_bus_stream_messages{stream="DEAD_LETTER"} 3
riskee_expected_predictors 2
"""
CRITICAL, WARNINGS = {"ServiceDown", "FeedMute"}, {"DeadLetters"}
INHIBITED = {"QuotesStale", "PredictorsMissing"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        receiver.exposition = BAD
        yield receiver


@pytest.fixture
def alerting(receiver: Receiver, tmp_path: Path) -> Iterator[str]:
    """Both run; gives Alertmanager's address."""
    started_by = alertmanager.command(REPOSITORY / ".riskee")
    if started_by is None:
        pytest.skip("Alertmanager is not here, or is unpacked where no namespace can be made: `make tools`")
    ports = {"prometheus": free_port(), "alertmanager": free_port()}
    configuration = tmp_path / "alertmanager.yml"
    configuration.write_text(_hasty(receiver, tmp_path))
    programs = [
        Program("prometheus", ports["prometheus"], _prometheus(tmp_path, ports["prometheus"])),
        Program(
            "alertmanager",
            ports["alertmanager"],
            (
                *started_by, f"--config.file={configuration}", f"--storage.path={tmp_path / 'alertmanager'}",
                "--cluster.listen-address=", f"--web.listen-address=127.0.0.1:{ports['alertmanager']}",
            ),
        ),
    ]  # fmt: skip
    lay_out(tmp_path, {"record": receiver.port}, programs, interval="1s")
    rules = tmp_path / "rules" / "alerts.yml"
    rules.write_text(re.sub(r"for: \d+m", "for: 0s", rules.read_text()))
    with running(programs, tmp_path):
        yield f"http://127.0.0.1:{ports['alertmanager']}"


def _hasty(receiver: Receiver, folder: Path) -> str:
    """The configuration, with the webhook's address from a file of ours and times of a second."""
    secret = folder / "alert_webhook"
    secret.write_text(f"http://127.0.0.1:{receiver.port}/")
    text = (ALERTMANAGER / "alertmanager.yml").read_text()
    assert text.count("/run/secrets/alert_webhook") == 2, "the comment and the setting"
    text = text.replace("/run/secrets/alert_webhook", str(secret))
    return re.sub(r"(group_wait|group_interval): \d+[sm]", r"\1: 1s", text)


def _prometheus(folder: Path, port: int) -> tuple[str, ...]:
    return (
        str(tool("prometheus")), f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}",
        "--rules.alert.resend-delay=0s",  # the first may come before Alertmanager listens
    )  # fmt: skip


def alerts(address: str) -> dict[str, dict[str, Any]]:
    """What Alertmanager knows, by the alert's name."""
    try:
        answer = httpx.get(f"{address}/api/v2/alerts")
    except httpx.HTTPError:
        return {}
    return {each["labels"]["alertname"]: each for each in answer.json()} if answer.status_code == 200 else {}


def titles(receiver: Receiver) -> set[str]:
    """The headline of each message that came."""
    return {message["attachments"][0]["title"] for message in receiver.posted}


async def test_who_should_know_is_told_and_of_what_follows_from_it_nobody(alerting: str, receiver: Receiver) -> None:
    await eventually(lambda: set(alerts(alerting)) >= CRITICAL | WARNINGS | INHIBITED, 60)
    # Critical ones shout, warnings do not: so says which receiver wrote it.
    expected = {f"FIRING {name}" for name in CRITICAL} | {f"firing {name}" for name in WARNINGS}
    await eventually(lambda: expected <= titles(receiver), 60)
    known = alerts(alerting)
    assert {name for name, alert in known.items() if alert["status"]["inhibitedBy"]} == INHIBITED
    down = next(each["attachments"][0] for each in receiver.posted if "ServiceDown" in each["attachments"][0]["title"])
    assert down["color"] == "danger"
    assert "docs/runbooks/ServiceDown.md" in down["text"]

    receiver.exposition = BAD.replace('"DEAD_LETTER"} 3', '"DEAD_LETTER"} 0')
    await eventually(lambda: "resolved DeadLetters" in titles(receiver), 60)
    assert not {title.split()[-1] for title in titles(receiver)} & INHIBITED
