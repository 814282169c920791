"""The whole pipeline on the bundled data and the real servers, then what a person does with it afterwards."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import nats
import pytest
from sqlalchemy import text

from riskee.documents.document import COLLECTIONS
from riskee.documents.economic_indicators import SERIES
from riskee.messaging.messages import MODEL_TYPES
from riskee.messaging.subjects import MODEL_PROMOTED
from riskee.model.registry import champion
from riskee.settings import Settings
from riskee.storage.bars import last_sessions
from riskee.storage.vectors import Vectors
from riskee_dagster import definitions
from riskee_dagster.bootstrap import missing_assets, needed
from riskee_dagster.declare import WHY_TAG
from riskee_dagster.defs.documents import document_key
from riskee_dagster.defs.models import candidate_key, champion_key
from riskee_dagster.defs.monitoring import watch_key
from riskee_dagster.partitions import key_of, range_tags
from tests.integration.materialised import Materialised, materialised

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def made(
    settings: Settings, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Materialised]:
    with materialised(settings, tmp_path_factory.mktemp("dagster")) as made:
        yield made


def test_everything_is_materialised(made: Materialised) -> None:
    assert made.failures == []
    assert missing_assets(made.instance, definitions.riskee()) == []
    assert needed(made.instance, definitions.riskee()) is None
    last = made.lines[-1]
    assert (last["state"], last["done"]) == ("done", last["total"])


def test_every_check_ran_and_passed(made: Materialised) -> None:
    wanted = definitions.riskee().resolve_asset_graph().asset_check_keys
    records = made.instance.event_log_storage.get_latest_asset_check_execution_by_key(list(wanted))
    assert set(records) == set(wanted)
    assert {record.status.value for record in records.values()} == {"SUCCEEDED"}


def test_both_models_predict_and_have_not_seen_the_replay(made: Materialised) -> None:
    with made.engine.connect() as connection:
        replay = last_sessions(connection, made.settings.feed.replay.sessions)
        champions = {model_type: champion(connection, model_type) for model_type in MODEL_TYPES}
    for model_type, artifact in champions.items():
        assert artifact is not None
        assert artifact.trained_through < replay[0]
        assert made.metadata(champion_key(model_type))["champion"] == artifact.version


async def test_a_promotion_was_announced(made: Materialised) -> None:
    client = await nats.connect(made.settings.nats.url.get_secret_value())
    try:
        message = await client.jetstream().get_last_msg("PREDICTIONS", MODEL_PROMOTED.name)
    finally:
        await client.close()
    promoted = MODEL_PROMOTED.codec.decode(message.data or b"").payload
    with made.engine.connect() as connection:
        artifact = champion(connection, promoted.model_type)
    assert artifact is not None
    assert (promoted.model_version, promoted.artifact_sha256) == (artifact.version, artifact.sha256)


def test_each_collection_holds_the_vectors_of_its_documents(made: Materialised) -> None:
    vectors = Vectors(made.settings.vectors)
    with made.engine.connect() as connection:
        rows = connection.execute(text("SELECT collection, count(*) AS documents FROM documents GROUP BY 1"))
        counts = {row.collection: row.documents for row in rows}
    assert set(counts) == set(COLLECTIONS)
    assert {collection: vectors.count(collection) for collection in COLLECTIONS} == counts
    vectors.close()
    assert made.metadata(document_key("economic_indicators"))["dagster/row_count"] == 8 * len(SERIES)


def test_documents_tell_of_the_years_before_and_of_the_replay(made: Materialised) -> None:
    with made.engine.connect() as connection:
        replay = last_sessions(connection, made.settings.feed.replay.sessions)
        wrong = connection.scalar(text("SELECT count(*) FROM documents WHERE known_at < published_at"))
        later = connection.scalars(
            text("SELECT DISTINCT collection FROM documents WHERE known_at >= :first"), {"first": replay[0]}
        ).all()
    assert wrong == 0
    assert {"market_news", "technical_patterns", "earnings_calls"} <= set(later)


def test_a_search_finds_only_what_was_known(made: Materialised) -> None:
    vectors = made.platform.vectors
    with made.engine.connect() as connection:
        moment = connection.scalar(
            text("SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY known_at) FROM documents WHERE ticker = 'AAPL'")
        )
    query = made.platform.embedder.encode(["AAPL fell sharply in heavy trading"])[0]
    hits = vectors.search(query, "AAPL", moment, 20)
    assert len(hits) == 20
    assert all(hit.document.known_at <= moment and hit.document.ticker in ("AAPL", None) for hit in hits)
    assert {hit.document.collection for hit in hits[:3]} <= {"market_news", "technical_patterns", "earnings_calls"}


def test_embedding_again_embeds_nothing(made: Materialised) -> None:
    keys = [dg.AssetKey(["embeddings", collection]) for collection in COLLECTIONS]
    assert made.again(*(document_key(collection) for collection in COLLECTIONS), *keys).success
    assert [made.metadata(key)["embedded"] for key in keys] == [0] * len(keys)


@pytest.mark.parametrize(
    "key",
    ["market_data", "trading_sessions", "features_daily", "training_set_normal", "champion_normal", "live_accuracy"],
)
def test_one_asset_alone_can_be_materialised_again(made: Materialised, key: str) -> None:
    assert made.again(dg.AssetKey(key)).success


def test_training_again_on_the_same_data_gives_the_champion_again(made: Materialised) -> None:
    keys = (candidate_key("normal"), champion_key("normal"))
    before = made.metadata(keys[1])["champion"]
    assert made.metadata(keys[1])["trained_because"] == "it was asked for"
    assert made.again(*keys, tags={WHY_TAG: "normal: expiry: it is old"}).success
    after = made.metadata(keys[1])
    assert (after["champion"], after["candidate"], after["registered"]) == (before, before, "before")
    assert after["trained_because"] == "normal: expiry: it is old"


def test_the_days_with_bars_are_reported_as_made(made: Materialised) -> None:
    """Nothing is computed twice for it: only the events say so."""
    days = made.instance.get_materialized_partitions(dg.AssetKey("features_daily"))
    with made.engine.connect() as connection:
        first, last = connection.execute(text("SELECT min(session_date), max(session_date) FROM bars")).one()
    assert (min(days), max(days)) == (key_of(first), key_of(last))
    assert made.metadata(dg.AssetKey("features_daily"))["dagster/row_count"] > 0


def test_a_window_of_days_is_computed_and_compared(made: Materialised) -> None:
    parity = dg.AssetCheckKey(dg.AssetKey("features_daily"), "live_kernel_agrees")
    result = made.again(dg.AssetKey("features_daily"), tags=range_tags(date(2012, 1, 2), date(2012, 1, 31)))
    assert result.success
    assert len(result.asset_materializations_for_node("features_daily")) == 22
    (check,) = (one for one in result.get_asset_check_evaluations() if one.asset_check_key == parity)
    assert check.passed
    with made.engine.connect() as connection:
        bars = connection.scalar(text("SELECT count(*) FROM bars WHERE resolution = '1d'"))
    assert check.metadata["rows"].value == bars, "a correction elsewhere is computed in the same run"


def test_models_just_made_ask_for_no_training(made: Materialised) -> None:
    for model_type in MODEL_TYPES:
        metadata = made.metadata(watch_key(model_type))
        assert metadata["model"] == made.metadata(champion_key(model_type))["champion"]
        assert metadata["causes"] == []


def test_a_registration_without_a_candidate_says_what_to_do(made: Materialised) -> None:
    file = Path(made.instance.storage_directory(), "model_earnings.json")
    kept = file.read_bytes()
    file.unlink()
    try:
        result = made.again(champion_key("earnings"))
        (failure,) = (event for event in result.all_events if event.is_step_failure)
        assert "materialise model_earnings first" in str(failure.step_failure_data.error)
    finally:
        file.write_bytes(kept)


def test_features_that_disagree_with_the_kernel_stop_the_training(made: Materialised) -> None:
    change = "UPDATE features_daily SET rsi_14 = rsi_14 {} 0.001 WHERE ticker = 'IBM' AND session_date = '2011-06-01'"
    with made.engine.begin() as connection:
        connection.execute(text(change.format("+")))
    try:
        retrain = definitions.riskee().resolve_job_def("retrain")
        result = retrain.execute_in_process(instance=made.instance, raise_on_error=False)
        evaluated = {check.check_name: check for check in result.get_asset_check_evaluations()}
        assert not result.success
        assert not evaluated["live_kernel_agrees"].passed
        assert "IBM 2011-06-01 rsi_14" in str(evaluated["live_kernel_agrees"].metadata["examples"].value)
        assert list(evaluated) == ["live_kernel_agrees"]
        assert not [event for event in result.all_events if event.is_step_materialization], "nothing was learned"
    finally:
        with made.engine.begin() as connection:
            connection.execute(text(change.format("-")))


def test_the_database_is_kept_in_shape(made: Materialised) -> None:
    job = definitions.riskee().resolve_job_def("maintenance")
    assert job.execute_in_process(instance=made.instance).success
