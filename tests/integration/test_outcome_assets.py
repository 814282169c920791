"""The assets of what became of predictions, on real servers."""

import dagster as dg
import pytest
from sqlalchemy import Engine

from riskee.clock import FixedClock
from riskee.settings import Settings
from riskee.storage.track_record import verify
from riskee_dagster.defs.outcomes import ASSETS, CHECKS
from riskee_dagster.resources import Platform
from tests.integration.marts import make_marts
from tests.integration.test_outcomes import CLOCK, history, predict
from tests.integration.test_track_record import past_the_trigger

pytestmark = pytest.mark.integration
__all__ = ["history"]  # the fixture


@pytest.fixture(autouse=True)
def marts(engine: Engine, database_settings: Settings) -> None:
    make_marts(engine, database_settings)


def materialise(settings: Settings) -> dict[str, dict[str, object]]:
    """The metadata of each asset by its name."""
    platform = Platform(settings, clock=FixedClock(CLOCK.at))
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(ASSETS, instance=instance, resources={"riskee": platform})
    platform.close()
    return {
        event.asset_key.to_user_string(): {name: value.value for name, value in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


def test_scoring_and_accuracy_are_materialised_and_published(engine: Engine, database_settings: Settings) -> None:
    with engine.begin() as connection:
        for session in range(4):
            predict(connection, session, 0.6)
    first, again = materialise(database_settings), materialise(database_settings)
    record = first["track_record"]
    assert (record["dagster/row_count"], record["scored_now"]) == (2, 2)
    with engine.begin() as connection:
        assert verify(connection).head.sha256 == record["head_sha256"]
    assert again["track_record"] == record | {"scored_now": 0}
    accuracy = first["live_accuracy"]
    assert accuracy["outcomes"] == 2
    assert "| m1 | 2 | 50.0% |" in str(accuracy["accuracy"])
    assert accuracy["bus"] == "1 published on metrics.model.accuracy"


def test_without_outcomes_there_is_nothing_to_publish(engine: Engine, database_settings: Settings) -> None:
    made = materialise(database_settings)
    assert made["track_record"]["dagster/row_count"] == 0
    assert made["live_accuracy"]["bus"] == "nothing to publish"


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (None, "2 rows are as they were written"),
        ("UPDATE track_record SET p_up = 0.9 WHERE sequence = 2", "row 2: its values are not those of its digest"),
        ("DELETE FROM track_record WHERE sequence = 2; DELETE FROM predictions", "the record ended with row 2"),
    ],
)
def test_the_check_tells_a_record_that_is_not_as_it_was_written(
    engine: Engine, database_settings: Settings, statement: str | None, told: str
) -> None:
    with engine.begin() as connection:
        for session in range(4):
            predict(connection, session, 0.6)
    platform = Platform(database_settings, clock=FixedClock(CLOCK.at))
    with dg.DagsterInstance.ephemeral() as instance:
        results = []
        for _ in range(2):
            results.append(dg.materialize([*ASSETS, *CHECKS], instance=instance, resources={"riskee": platform}))
            if statement:
                with engine.begin() as connection:
                    past_the_trigger(connection, statement)
    platform.close()
    first, again = (result.get_asset_check_evaluations()[0] for result in results)
    assert first.passed
    assert again.passed is (statement is None)
    assert told in str(again.description)
    assert all(result.success for result in results), "it blocks nothing"
