"""Hearing the stream across connections that break, with the API's side given."""

import json
from collections.abc import Iterator
from typing import Any, Self

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.frames import Close
from websockets.http11 import Response

from riskee.cli.stream import Follower, Message
from riskee.errors import FatalError, NotFoundError, RetryableError
from riskee.settings import Settings

RESTART = ConnectionClosedError(Close(1012, "the API ends or restarts"), None)


def said(kind: str, sequence: int, **more: object) -> Message:
    return {"type": kind, "sequence": sequence, **more}


def subscribed(epoch: str, sequence: int, *, resumed: bool = False) -> Message:
    return said("subscribed", sequence, epoch=epoch, resumed=resumed)


def problem(status: int) -> Message:
    return said("error", 9, problem={"status": status, "detail": "planted", "next_step": "none"})


class Connection:
    """Says some messages, then breaks, or is closed."""

    def __init__(self, *messages: Message, end: Exception | None = RESTART) -> None:
        self._messages = messages
        self._end = end
        self.asked: Message = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def send(self, text: str) -> None:
        self.asked = json.loads(text)

    def __iter__(self) -> Iterator[str]:
        yield from map(json.dumps, self._messages)
        if self._end is not None:
            raise self._end


class World:
    """An API whose connections, and refusals of them, come in this order; then the one who listens leaves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *attempts: Connection | Exception) -> None:
        self._left = iter(attempts)
        self.told: list[str] = []
        self.pauses: list[float] = []
        monkeypatch.setattr("websockets.sync.client.connect", self._connect)

    def _connect(self, *_: object, **__: object) -> Any:
        attempt = next(self._left, KeyboardInterrupt())
        if isinstance(attempt, BaseException):
            raise attempt
        return attempt

    def heard(self) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        with pytest.raises(KeyboardInterrupt):
            self.hear(found)
        return found

    def hear(self, found: list[tuple[str, int]]) -> None:
        for message in Follower(Settings(), ["IBM"], self.told.append, self.pauses.append).messages():
            found.append((message["type"], message["sequence"]))  # noqa: PERF401 (what came before a break is kept)


def test_a_restart_is_followed_from_where_it_broke_off(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Connection(subscribed("e", 1), said("prediction", 1), said("complete", 1), said("prediction", 7))
    second = Connection(subscribed("e", 7, resumed=True), said("prediction", 9))
    third = Connection(subscribed("e", 9, resumed=True), end=None)
    fourth = Connection(subscribed("f", 0), said("complete", 0))
    world = World(monkeypatch, first, ConnectionRefusedError("refused"), second, third, fourth)
    kinds = world.heard()
    assert [number for kind, number in kinds if kind == "prediction"] == [1, 7, 9]
    assert first.asked == {"type": "subscribe", "tickers": ["IBM"]}
    assert second.asked["resume"] == {"epoch": "e", "sequence": 7}
    assert third.asked["resume"] == {"epoch": "e", "sequence": 9}
    assert world.pauses == [0.5, 1.0, 0.5, 0.5, 0.5]
    assert "1012" in world.told[0]
    assert world.told[0].endswith("; connecting again in 0.5 s")
    assert world.told[1].endswith("refused; connecting again in 1 s")
    assert world.told[2] == "connected again; nothing was lost"
    assert "connected again; from the latest numbers on" in world.told


def test_what_broke_off_before_all_had_come_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Connection(subscribed("e", 1), said("prediction", 1))
    second = Connection(subscribed("e", 2), said("complete", 2))
    World(monkeypatch, first, second).heard()
    assert "resume" not in second.asked


@pytest.mark.parametrize("passing", [problem(503), problem(429)])
def test_a_problem_that_passes_is_waited_for_longer_each_time(
    monkeypatch: pytest.MonkeyPatch, passing: Message
) -> None:
    attempts = [Connection(subscribed("e", 1), passing) for _ in range(9)]
    world = World(monkeypatch, *attempts)
    world.heard()
    assert world.pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (InvalidStatus(Response(401, "Unauthorized", Headers())), FatalError),
        (Connection(subscribed("e", 1), problem(403)), FatalError),
        (Connection(subscribed("e", 1), problem(404)), NotFoundError),
    ],
)
def test_what_stays_refused_ends_it(
    monkeypatch: pytest.MonkeyPatch, end: Connection | Exception, kind: type[Exception]
) -> None:
    world = World(monkeypatch, Connection(subscribed("e", 1), said("complete", 1)), end)
    with pytest.raises(kind):
        world.hear([])
    assert len(world.pauses) == 1


@pytest.mark.parametrize("end", [ConnectionRefusedError("refused"), Connection(problem(503)), Connection()])
def test_an_api_that_is_away_at_first_is_said_at_once(
    monkeypatch: pytest.MonkeyPatch, end: Connection | Exception
) -> None:
    world = World(monkeypatch, end)
    with pytest.raises(RetryableError):
        world.hear([])
    assert (world.pauses, world.told) == ([], [])
