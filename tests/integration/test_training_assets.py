"""The assets of one model type, from features in the database to a registered model with its report."""

import dataclasses
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec
import pytest
from pydantic import SecretStr
from sqlalchemy import Row, text

from dbt_like_sql import run
from riskee.blobs import Blobs
from riskee.clock import FixedClock
from riskee.market.importing import import_bars, import_earnings, import_sessions
from riskee.market.sources.bundled import BundledIndex, BundledStocks
from riskee.model.artifact import ModelArtifact
from riskee.model.incumbent import incumbent
from riskee.model.registry import champion
from riskee.model.training import TrainingResult
from riskee.settings import Settings
from riskee.storage.bars import last_sessions
from riskee_dagster.candidates import candidate_store
from riskee_dagster.declare import RETRY
from riskee_dagster.defs.models import ASSETS, candidate_key, champion_key, read_rows, training_key
from riskee_dagster.registration import register_candidate
from riskee_dagster.resources import Platform
from tests.conftest import REPOSITORY, fresh_database
from tests.integration.tampering import spoil

pytestmark = [pytest.mark.integration, pytest.mark.slow]

KEYS = [training_key("normal"), candidate_key("normal"), champion_key("normal")]


@pytest.fixture(scope="module")
def platform(
    settings: Settings, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """The bundled history with its features, and a home of its own for reports."""
    with fresh_database(settings) as url:
        database = settings.database.model_copy(update={"url": SecretStr(url)})
        home = tmp_path_factory.mktemp("home")
        made = Platform(settings.model_copy(update={"home": home, "database": database}))
        blobs, clock = Blobs(REPOSITORY / ".riskee"), FixedClock(datetime(2026, 11, 22, tzinfo=UTC))
        import_bars(made.engine, BundledStocks(blobs), clock)
        import_bars(made.engine, BundledIndex(blobs, settings.model.market_ticker), clock)
        import_earnings(made.engine, blobs, clock)
        import_sessions(made.engine, clock)
        run(made.engine, {"market_ticker": settings.model.market_ticker})
        yield made
        made.close()


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral(str(tmp_path_factory.mktemp("dagster"))) as instance:
        yield instance


def materialise(platform: Platform, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    resources = {"riskee": dg.ResourceDefinition.hardcoded_resource(platform), "candidates": candidate_store}
    return dg.materialize(ASSETS, instance=instance, resources=resources, selection=KEYS, raise_on_error=False)


def metadata(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str, Any]:
    event = instance.get_latest_materialization_event(key)
    assert event is not None
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def test_a_training_is_registered_with_its_evaluation_and_reported(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    assert materialise(platform, instance).success
    with platform.engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM model_metadata")).one()
        count = platform.settings.feed.replay.sessions + platform.settings.model.holdout_sessions
        sealed_from = last_sessions(connection, count)[0]
    holdout = row.evaluation["holdout"]
    assert (row.trials, holdout["opened"], holdout["first"]) == (1, 1, sealed_from.isoformat())
    assert row.trained_through < sealed_from
    # The last of the sealed sessions has its outcome in the replay.
    assert holdout["methods"]["model"]["sessions"] == platform.settings.model.holdout_sessions - 1
    assert metadata(instance, candidate_key("normal"))["version"] == row.model_version
    shown = metadata(instance, champion_key("normal"))
    assert (shown["registered"], shown["bus"]) == ("now", "1 published on event.model.promoted")
    page = Path(shown["report"]).read_text()
    assert row.data_sha256 in page
    assert re.search(r"\d+ sessions that took no part in the walk-forward evaluation", page)


def test_on_a_live_feed_a_training_knows_the_newest_outcome(platform: Platform) -> None:
    settings = platform.settings
    live = Platform(settings.model_copy(update={"feed": settings.feed.model_copy(update={"kind": "alpaca"})}))
    with live.engine.connect() as connection:
        rows = read_rows(connection, live, "normal")
        replayed = read_rows(connection, platform, "normal")
        sessions = last_sessions(connection, settings.model.holdout_sessions)
    live.close()
    assert rows.data.outcome_session.max().item() == sessions[-1]
    assert (rows.holdout_from, rows.known_before) == (sessions[0], sessions[-1] + timedelta(days=1))
    assert replayed.data.outcome_session.max().item() < replayed.known_before < sessions[-1]


def test_a_second_training_counts_the_first(platform: Platform, instance: dg.DagsterInstance) -> None:
    before = metadata(instance, candidate_key("normal"))
    assert materialise(platform, instance).success
    after = metadata(instance, candidate_key("normal"))
    assert (after["version"], after["trials"]) == (before["version"], before["trials"] + 1)
    assert "opened 2 times" in after["holdout"]


def stored(platform: Platform) -> Row[Any]:
    """The one registered model of type normal."""
    with platform.engine.connect() as connection:
        return connection.execute(text("SELECT * FROM model_metadata")).one()


def test_a_model_made_again_leaves_its_decision_its_report_and_the_bus_alone(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    before, told = stored(platform), metadata(instance, champion_key("normal"))
    assert "first model of its type" in before.reason
    page = Path(told["report"]).read_text()
    assert materialise(platform, instance).success
    assert stored(platform) == before
    assert Path(told["report"]).read_text() == page
    again = metadata(instance, champion_key("normal"))
    assert again == {**told, "registered": "before", "bus": "nothing to publish"}
    # A report that was lost comes back as it was, not with what the repeated training says of itself.
    Path(told["report"]).unlink()
    assert materialise(platform, instance).success
    assert Path(told["report"]).read_text() == page


def test_a_run_that_repeats_a_killed_one_publishes_what_was_lost(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    row = stored(platform)
    file = Path(instance.storage_directory(), "model_normal.json")
    candidate = dataclasses.replace(
        msgspec.json.decode(file.read_bytes(), type=TrainingResult), reason="the same data gave the champion again"
    )
    for run_id, parent in ((row.run_id, None), (str(uuid.uuid4()), row.run_id)):
        run = dg.DagsterRun(job_name="retrain", run_id=run_id, root_run_id=parent, parent_run_id=parent)
        shown = register_candidate(run, platform, candidate).metadata or {}
        assert (shown["bus"], shown["reason"]) == ("1 published on event.model.promoted", row.reason)


def test_a_longer_replay_keeps_a_champion_that_nothing_better_speaks_against(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    """`riskee up` trains again then. What the champion says of sessions that it has seen is flagged, and not scored."""
    before, settings = stored(platform), platform.settings
    replay = settings.feed.replay.model_copy(update={"sessions": settings.feed.replay.sessions + 40})
    other = Platform(settings.model_copy(update={"feed": settings.feed.model_copy(update={"replay": replay})}))
    assert materialise(other, instance).success
    shown = metadata(instance, champion_key("normal"))
    assert (shown["champion"], shown["decision"]) == (before.model_version, "refused")
    assert "has seen sessions that are held out now, so the baselines decide; not shown to be" in shown["reason"]
    assert shown["reason"] in Path(shown["report"]).read_text()
    with other.engine.connect() as connection:
        found = incumbent(connection, "normal")
    assert isinstance(found, ModelArtifact)
    other.close()


def test_a_model_that_is_new_gets_its_own_report_in_place_of_that_of_a_deleted_registry(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    shown = metadata(instance, champion_key("normal"))
    with platform.engine.begin() as connection:
        connection.execute(
            text("DELETE FROM model_metadata WHERE model_version = :version"), {"version": shown["candidate"]}
        )
    page = Path(shown["report"]).read_text()
    Path(shown["report"]).write_text("of another registry")
    file = Path(instance.storage_directory(), "model_normal.json")
    candidate = msgspec.json.decode(file.read_bytes(), type=TrainingResult)
    assert (register_candidate(dg.DagsterRun(job_name="retrain"), platform, candidate).metadata or {})[
        "registered"
    ] == "now"
    assert Path(shown["report"]).read_text() == page


@pytest.mark.parametrize("how", ["a flipped bit", "another artifact"])
def test_a_damaged_champion_stops_no_training_and_is_whole_afterwards(
    platform: Platform, instance: dg.DagsterInstance, how: str
) -> None:
    with platform.engine.begin() as connection:
        made = champion(connection, "normal")
        assert made is not None
        spoil(connection, made, how)
    assert materialise(platform, instance).success
    shown = metadata(instance, champion_key("normal"))
    assert (shown["champion"], shown["registered"]) == (made.version, "before, its artifact was mended")
    assert metadata(instance, candidate_key("normal"))["reason"].startswith(
        f"the champion {made.version} is unreadable"
    )
    with platform.engine.connect() as connection:
        assert champion(connection, "normal") == made


def test_rows_that_changed_since_they_were_checked_are_not_learnt_from(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    shown = metadata(instance, training_key("normal"))
    resources = {"riskee": dg.ResourceDefinition.hardcoded_resource(platform), "candidates": candidate_store}
    with platform.engine.begin() as connection:
        connection.execute(text("UPDATE features_daily SET macd = macd + 1e-9"))
    result = dg.materialize(
        ASSETS, instance=instance, resources=resources, selection=[candidate_key("normal")], raise_on_error=False
    )
    (failure,) = (event for event in result.all_events if event.is_step_failure)
    told = str(failure.step_failure_data.error)
    assert f"the rows of training_set_normal were {shown['sha256'][:16]} when they were checked" in told
    assert len([event for event in result.all_events if event.is_step_up_for_retry]) == RETRY.max_retries
    assert materialise(platform, instance).success


def test_a_feature_that_knows_the_outcome_stops_the_training(platform: Platform, instance: dg.DagsterInstance) -> None:
    leak = """
    UPDATE features_daily SET macd = ahead.move
    FROM (
        SELECT ticker, session_date, lead(return_1d) OVER (PARTITION BY ticker ORDER BY session_date) AS move
        FROM features_daily
    ) AS ahead
    WHERE ahead.ticker = features_daily.ticker AND ahead.session_date = features_daily.session_date
    """
    with platform.engine.begin() as connection:
        connection.execute(text(leak))
    result = materialise(platform, instance)
    assert not result.success
    failed = {check.check_name: check for check in result.get_asset_check_evaluations() if not check.passed}
    assert set(failed) == {"no_feature_knows_the_outcome"}
    assert "macd" in failed["no_feature_knows_the_outcome"].metadata
    assert not result.asset_materializations_for_node("model_normal")
