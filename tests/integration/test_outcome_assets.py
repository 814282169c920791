"""The assets of what became of predictions, on real servers."""

import dagster as dg
import pytest
from sqlalchemy import Engine

from riskee.clock import FixedClock
from riskee.settings import Settings
from riskee.storage.track_record import verify
from riskee_dagster.defs.outcomes import ASSETS
from riskee_dagster.resources import Platform
from tests.integration.marts import make_marts
from tests.integration.test_outcomes import CLOCK, history, predict

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
