"""What the bus complains of: each trouble, but of lost messages one line for many."""

from types import SimpleNamespace
from typing import Any

import pytest
from nats.errors import Error, SlowConsumerError

from riskee.storage import complaints
from riskee.storage.complaints import Complaints


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    lines: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(
        complaints, "_log", SimpleNamespace(warning=lambda event, **fields: lines.append((event, fields)))
    )
    return lines


def _lost(subject: str) -> SlowConsumerError:
    return SlowConsumerError(subject=subject, reply="", sid=1, sub=None)  # type: ignore[arg-type]


async def test_a_thousand_lost_messages_are_told_in_one_line(told: list[tuple[str, dict[str, Any]]]) -> None:
    now = 0.0
    complain = Complaints(lambda: now)
    for _ in range(1000):
        await complain(_lost("a"))
    await complain(_lost("b"))
    assert told == [
        ("messages were not read in time", {"subject": "a", "lost": 1}),
        ("messages were not read in time", {"subject": "b", "lost": 1}),
    ]
    now = 11.0
    await complain(_lost("a"))
    assert told[-1] == ("messages were not read in time", {"subject": "a", "lost": 1000})


async def test_every_other_trouble_is_told(told: list[tuple[str, dict[str, Any]]]) -> None:
    complain = Complaints(lambda: 0.0)
    await complain(Error("nats: no servers"))
    await complain(Error("nats: no servers"))
    await complain(TimeoutError())
    assert [fields["error"] for _, fields in told] == ["nats: no servers", "nats: no servers", "TimeoutError"]
