"""What is read of the database and of the champions' outcomes in it."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from riskee.storage.condition import Outcomes, champion_outcomes, condition
from riskee.storage.track_record import Head, append
from tests.integration.live_data import made_model, promote
from tests.integration.test_track_record import values

pytestmark = pytest.mark.integration
CHAMPION, FORMER = made_model("normal"), made_model("normal", seed=2)


def scored(number: int, version: str, p_up: float, outcome: float) -> tuple[object, ...]:
    row = list(values(number))
    row[2:4] = "normal", version
    row[9], row[12] = p_up, outcome
    return tuple(row)


def test_only_the_champions_newest_outcomes_count(engine: Engine) -> None:
    with engine.begin() as connection:
        promote(connection, FORMER)
        promote(connection, CHAMPION)
        rows = [
            scored(0, CHAMPION.version, 0.9, 0.01),
            scored(100, CHAMPION.version, 0.5, 0.01),
            scored(101, CHAMPION.version, 0.5, -0.5),
            scored(102, CHAMPION.version, 0.4, 0.02),
            scored(103, FORMER.version, 0.9, 0.01),
        ]
        append(connection, rows, Head())
        found = champion_outcomes(connection, 90)
    assert sorted(found, key=lambda each: (each.said_up, each.came_up)) == [
        Outcomes("normal", said_up=False, came_up=True, number=1, squares=(0.4 - 1) ** 2, inside=1),
        Outcomes("normal", said_up=True, came_up=False, number=1, squares=0.25, inside=0),
        Outcomes("normal", said_up=True, came_up=True, number=1, squares=0.25, inside=1),
    ]


def test_without_outcomes_there_are_none(engine: Engine) -> None:
    with engine.begin() as connection:
        promote(connection, CHAMPION)
        assert champion_outcomes(connection, 90) == []


def test_the_condition_is_that_of_this_database(engine: Engine) -> None:
    with engine.connect() as connection:
        found = condition(connection)
    assert found.database == engine.url.database
    assert found.size > 1_000_000
    assert found.connections["active"] >= 1
    assert datetime(2020, 1, 1, tzinfo=UTC) < datetime.fromtimestamp(found.begun_at, UTC) < datetime.now(UTC)
    assert found.connections_limit >= sum(found.connections.values())
