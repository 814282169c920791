"""What the bus is told of a champion, for monitoring."""

import uuid
from datetime import date

import msgspec

from riskee.messaging.messages import ChampionWatch
from riskee.model.decay import Decay
from riskee.model.drift import Drift
from riskee.model.drift_block import BlockTest
from riskee.model.watch import Watch
from riskee_dagster.defs.monitoring import watch_messages

DRIFT = Drift(p_value=0.2, blocks=40, distances={"a": 0.3, "b": 0.1}, usual={"a": 0.1, "b": 0.0}, beyond=())
WATCH = Watch(
    "normal",
    "normal-1",
    date(2012, 9, 3),
    3,
    (Decay("calibration", 40, 200, 0.01, 30.0, 120.0),),
    BlockTest("normal-1", date(2012, 8, 30), 60, 0.05, DRIFT),
    (),
)


def only(messages: dict[uuid.UUID, ChampionWatch]) -> ChampionWatch:
    (message,) = messages.values()
    return message


def test_evidence_and_distances_are_told_as_multiples() -> None:
    told = only(watch_messages(WATCH))
    assert told.decay == {"calibration": 0.25}
    assert told.drift_p_value == 0.2
    assert set(told.drift) == {"a", "b"}
    assert round(told.drift["a"], 9) == 3.0
    assert told.drift["b"] == 0.1, "what never moves is not divided by nothing"


def test_the_same_is_told_once() -> None:
    again = Watch(**{name: getattr(WATCH, name) for name in WATCH.__dataclass_fields__})
    later = msgspec.structs.replace(only(watch_messages(WATCH)), decay={})
    assert watch_messages(again).keys() == watch_messages(WATCH).keys()
    assert later not in watch_messages(WATCH).values()


def test_without_a_champion_nothing_is_told() -> None:
    assert watch_messages(Watch("normal", None, date(2012, 9, 3), 0, (), None, ())) == {}


def test_without_a_test_for_drift_there_is_no_p_value() -> None:
    told = only(watch_messages(Watch("normal", "normal-1", date(2012, 9, 3), 0, WATCH.decays, None, ())))
    assert told.drift_p_value is None
    assert told.drift == {}
