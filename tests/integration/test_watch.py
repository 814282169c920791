"""Why a model should be trained again, from rows in a real PostgreSQL."""

import dataclasses
import math
import uuid
from datetime import UTC, date, datetime, timedelta

import msgspec
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from psycopg import sql
from sqlalchemy import Connection, Engine, insert

from riskee.documents.records import YEARS, market_record
from riskee.features.definitions import FEATURES, feature_set_hash, features_of
from riskee.model import drift_block
from riskee.model.artifact import ModelArtifact
from riskee.model.boundaries import Boundaries, boundaries
from riskee.model.drift_block import BlockTest
from riskee.model.registry import register
from riskee.model.watch import Watch, watch
from riskee.settings import Settings
from riskee.storage.bars import upsert_bars
from riskee.storage.columns import read_columns
from riskee.storage.tables import features_daily, feed_state, trading_sessions
from riskee.storage.tickers import TickerInfo, write_tickers
from riskee.storage.track_record import append, head
from tests.integration.tampering import spoil
from tests.unit.model.small import small_artifact, small_result

pytestmark = pytest.mark.integration

SESSIONS = [day.date() for day in pd.bdate_range("2011-01-03", periods=230)]
TRAINED_FROM, TRAINED_THROUGH, NOW = SESSIONS[0], SESSIONS[199], SESSIONS[214]
TICKERS = ("AAA", "BBB", "CCC")


@pytest.fixture
def own(settings: Settings) -> Settings:
    """Blocks of five sessions, so that half a year is enough; ten sessions are replayed, five held out."""
    replay = settings.feed.replay.model_copy(update={"sessions": 10})
    return settings.model_copy(
        update={
            "retraining": settings.retraining.model_copy(update={"drift_sessions": 5, "after_sessions": 20}),
            "feed": settings.feed.model_copy(update={"replay": replay}),
            "model": settings.model.model_copy(update={"holdout_sessions": 5}),
        }
    )


def model(**changes: object) -> ModelArtifact:
    usual = {
        "feature_set": feature_set_hash("normal"),
        "features": features_of("normal"),
        "trained_from": TRAINED_FROM,
        "trained_through": TRAINED_THROUGH,
        "valid_until": date(2020, 1, 1),
    }
    return msgspec.structs.replace(small_artifact(), **{**usual, **changes})


def fill(engine: Engine, artifact: ModelArtifact, *, shift: float = 0.0) -> None:
    """A history whose features are noise; in the live sessions `rsi_14` is shifted."""
    with engine.begin() as connection:
        write_tickers(connection, [TickerInfo(name, name, is_index=False, source="made") for name in TICKERS])
        upsert_bars(connection, _bars())
        moments = [datetime(day.year, day.month, day.day, 14, tzinfo=UTC) for day in SESSIONS]
        calendar = zip(SESSIONS, moments, strict=True)
        connection.execute(
            insert(trading_sessions), [{"session_date": d, "opens_at": t, "closes_at": t} for d, t in calendar]
        )
        connection.execute(insert(features_daily), _features(shift))
        playing = {"feed": "replay", "pass_number": 1, "session_date": NOW, "updated_at": datetime.now(UTC)}
        connection.execute(insert(feed_state), playing)
        register(connection, dataclasses.replace(small_result(artifact, "promoted")), "run", datetime.now(UTC))


def _bars() -> pd.DataFrame:
    frame = pd.DataFrame([(ticker, pd.Timestamp(day)) for ticker in TICKERS for day in SESSIONS])
    frame.columns = pd.Index(["ticker", "session"])
    known_at = frame["session"].dt.tz_localize("UTC") + pd.Timedelta(hours=22)
    prices = dict.fromkeys(("open", "high", "low", "close"), 100.0)
    frame = frame.assign(volume=1e6, adjustment_factor=1.0, dividend=0.0, split=1.0, source="made", known_at=known_at)
    for name, price in prices.items():
        frame[name] = price
    return frame


def _features(shift: float) -> list[dict[str, object]]:
    generator = np.random.default_rng(11)
    rows = []
    for day in SESSIONS:
        for ticker in TICKERS:
            values = dict(zip((one.name for one in FEATURES), generator.normal(size=len(FEATURES)), strict=True))
            values["rsi_14"] += shift * (TRAINED_THROUGH < day <= NOW)
            rows.append({"ticker": ticker, "session_date": day, **values})
    return rows


def score(engine: Engine, artifact: ModelArtifact, sessions: int, *, p_up: float) -> None:
    """A record of predictions that always said `p_up`, and were right every other time."""
    with engine.begin() as connection:
        rows = []
        for number in range(sessions):
            day = date.fromordinal(SESSIONS[0].toordinal() + number)
            moment = datetime(day.year, day.month, day.day, 15, tzinfo=UTC)
            outcome = 0.01 if number % 4 in (0, 3) else -0.01
            rows.append(
                (uuid.uuid4(), "AAA", "normal", artifact.version, "replay", moment, day, day, 0.0, p_up, -0.02, 0.02,
                 outcome, moment)
            )  # fmt: skip
        append(connection, rows, head(connection))


def look(engine: Engine, settings: Settings, tested: BlockTest | None = None) -> Watch:
    with engine.connect() as connection:
        return watch(connection, settings, "normal", tested)


def test_without_a_model_there_is_nothing_to_look_after(engine: Engine, own: Settings) -> None:
    assert look(engine, own).causes == ()


def test_a_model_in_its_prime_asks_for_nothing(engine: Engine, own: Settings) -> None:
    artifact = model()
    fill(engine, artifact)
    score(engine, artifact, 300, p_up=0.5)
    found = look(engine, own)
    assert found.causes == ()
    assert (found.as_of, found.model_version) == (NOW, artifact.version)
    # 230 sessions without the replayed ten and the five held out.
    assert found.new_sessions == 230 - 10 - 5 - 200
    assert found.drift is not None
    assert (found.drift.blocks, len(found.drift.distances)) == (40, len(features_of("normal")))
    assert {one.sessions for one in found.decays} == {300}


def test_drift_is_found_in_what_was_played_and_named_by_its_block(engine: Engine, own: Settings) -> None:
    artifact = model()
    fill(engine, artifact, shift=4.0)
    (cause,) = look(engine, own).causes
    assert (cause.kind, cause.key) == ("drift", f"drift:{artifact.version}:{NOW}")
    assert "rsi_14" in cause.detail
    # Nothing of what comes after the replay's session is looked at: with fewer sessions, the block before.
    with engine.begin() as connection:
        connection.execute(feed_state.update().values(session_date=SESSIONS[213]))
    (cause,) = look(engine, own).causes
    assert cause.key == f"drift:{artifact.version}:{SESSIONS[209]}"


def test_a_block_of_sessions_is_tested_once(engine: Engine, own: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its test reads every feature of every row, and the hour after asks for the same."""
    read: list[int] = []

    def counted(connection: Connection, query: sql.Composable, columns: int) -> NDArray[np.float64]:
        rows = read_columns(connection, query, columns)
        read.append(len(rows))
        return rows

    monkeypatch.setattr(drift_block, "read_columns", counted)
    fill(engine, model(), shift=4.0)
    first = look(engine, own)
    # The sessions first, then every feature, several at once.
    assert len(read) == 1 + math.ceil(len(features_of("normal")) / drift_block._TOGETHER)
    read.clear()
    again = look(engine, own, first.block)
    assert (again.drift, again.causes) == (first.drift, first.causes)
    assert read == [15]  # the sessions since the training, and nothing else
    # Another block, another level or another model is tested again.
    with engine.begin() as connection:
        connection.execute(feed_state.update().values(session_date=SESSIONS[213]))
    assert look(engine, own, first.block).block == look(engine, own).block != first.block
    stricter = own.retraining.model_copy(update={"drift_level": 0.04})
    found = look(engine, own.model_copy(update={"retraining": stricter}), look(engine, own).block)
    assert found.block is not None
    assert found.block.level == 0.04


def test_a_boasting_model_decays(engine: Engine, own: Settings) -> None:
    artifact = model()
    fill(engine, artifact)
    score(engine, artifact, 300, p_up=0.9)
    causes = {cause.kind: cause for cause in look(engine, own).causes}
    assert set(causes) == {"accuracy", "calibration"}
    assert causes["accuracy"].key == f"accuracy:{artifact.version}:{300 // 5}"


def live(own: Settings, holdout: int = 5) -> Settings:
    """The same history under a live feed."""
    feed = own.feed.model_copy(update={"kind": "alpaca"})
    return own.model_copy(update={"feed": feed, "model": own.model.model_copy(update={"holdout_sessions": holdout})})


def test_a_live_feed_holds_nothing_out(engine: Engine, own: Settings) -> None:
    fill(engine, model())
    found = look(engine, live(own))
    assert found.as_of == SESSIONS[-1]
    assert found.new_sessions == 230 - 5 - 200
    assert look(engine, live(own, holdout=0)).new_sessions == 230 - 200
    with engine.connect() as connection:
        assert boundaries(connection, own) == Boundaries(SESSIONS[-10], SESSIONS[-15])
        after = SESSIONS[-1] + timedelta(days=1)
        assert boundaries(connection, live(own)) == Boundaries(after, SESSIONS[-5])
        assert boundaries(connection, live(own, holdout=0)) == Boundaries(after, None)
        since = market_record(connection, live(own)).since
        assert since == SESSIONS[-1] - timedelta(days=365 * YEARS)
        assert market_record(connection, own).since < since


def test_a_model_serves_on_the_last_day_that_it_is_valid(engine: Engine, own: Settings) -> None:
    fill(engine, model(valid_until=NOW))
    assert look(engine, own).causes == ()


def test_an_expired_model_and_one_of_other_features_say_so(engine: Engine, own: Settings) -> None:
    fill(engine, model(valid_until=NOW - timedelta(days=1), feature_set="0" * 16))
    assert [cause.kind for cause in look(engine, own).causes] == ["expiry", "features"]


def test_a_champion_that_nobody_can_read_is_a_cause(engine: Engine, own: Settings) -> None:
    artifact = model()
    fill(engine, artifact)
    with engine.begin() as connection:
        spoil(connection, artifact, "a flipped bit")
    found = look(engine, own)
    (cause,) = found.causes
    assert (cause.kind, cause.key) == ("unfit", f"unfit:{artifact.version}:{NOW:%Y-%m}")
    assert "digest" in cause.detail
    assert found.model_version == artifact.version


def test_new_sessions_ask_for_a_training_again_with_each_further_block(engine: Engine, own: Settings) -> None:
    fill(engine, model(trained_through=SESSIONS[190]))
    (cause,) = look(engine, own).causes
    assert cause.kind == "new data"
    assert cause.key == f"new data:normal:{SESSIONS[190]}:1"


def test_sessions_without_reports_are_nothing_new_to_the_model_of_reports(engine: Engine, own: Settings) -> None:
    fill(
        engine,
        model(
            model_type="earnings",
            features=features_of("earnings"),
            feature_set=feature_set_hash("earnings"),
            trained_through=SESSIONS[190],
        ),
    )
    with engine.connect() as connection:
        assert watch(connection, own, "earnings").new_sessions == 24
    quiet = {"sessions_to_earnings": 10, "sessions_since_earnings": 63}
    with engine.begin() as connection:
        connection.execute(features_daily.update().where(features_daily.c.session_date > SESSIONS[190]).values(quiet))
        found = watch(connection, own, "earnings")
    assert (found.new_sessions, found.causes) == (0, ())
