"""The newest stored prediction of each ticker, whenever it was made."""

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text

from riskee.errors import RetryableError
from riskee.storage import predictions
from riskee.storage.database import database_errors, make_engine
from riskee.storage.predictions import latest_predictions
from riskee.storage.recording import PREDICTIONS, record
from tests.integration.made_predictions import made, sealed
from tests.unit.messaging.samples import NOW

pytestmark = pytest.mark.integration
DAY = 86_400.0


def test_the_newest_counts_and_an_old_one_where_there_is_none_of_today(engine: Engine) -> None:
    today, earlier = made("AAPL", 101.0), made("AAPL", 100.0, age=60)
    old, older = made("MSFT", 201.0, age=3 * DAY), made("MSFT", 200.0, age=4 * DAY)
    ahead = made("IBM", 300.0, age=-2 * DAY)
    record(engine, PREDICTIONS, [sealed(one) for one in (today, earlier, older, old, ahead)])
    with engine.connect() as connection:
        found = latest_predictions(connection, ["AAPL", "MSFT", "IBM", "FB"], datetime.now(UTC) + timedelta(seconds=1))
    assert {ticker: one.price for ticker, one in found.items()} == {"AAPL": 101.0, "MSFT": 201.0, "IBM": 300.0}


def test_every_field_comes_back_as_it_was_written(engine: Engine) -> None:
    moments = [NOW - timedelta(seconds=ago) for ago in range(4)]
    whole = msgspec.structs.replace(
        made("AAPL", 101.0), p_up=0.61, data_time=moments[1], as_of=moments[2], bars_as_of=moments[3]
    )
    bare = msgspec.structs.replace(made("IBM", 102.0), flags=(), bars_as_of=None, market_quote_id=None)
    record(engine, PREDICTIONS, [sealed(whole), sealed(bare)])
    with engine.connect() as connection:
        found = latest_predictions(connection, ["AAPL", "IBM"], datetime.now(UTC))
    assert found == {"AAPL": whole, "IBM": bare}


def test_many_are_asked_for_with_a_plan_for_their_times_however_often(engine: Engine) -> None:
    """A plan for any times looks into all partitions: PostgreSQL would keep one from the tenth question on."""
    tickers = [f"T{number}" for number in range(100)]
    with engine.connect() as connection:
        for _ in range(12):
            latest_predictions(connection, tickers, datetime.now(UTC))
        plans = (
            "SELECT sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements WHERE statement LIKE '%LATERAL%'"
        )
        generic, custom = connection.execute(text(plans)).one()
    assert (int(generic), int(custom) > 0) == (0, True)


def _ages(count: int) -> list[float]:
    """Ages of predictions in seconds: most of the last seconds, some of hours, days and weeks ago."""
    rng = np.random.default_rng(1)
    ages: list[float] = np.where(
        rng.random(count) < 0.8, rng.uniform(0, 10, count), 10 ** rng.uniform(1, 6, count)
    ).tolist()
    return ages


def test_of_many_each_has_its_newest_however_old_the_others_are(engine: Engine) -> None:
    tickers = [f"T{number}" for number in range(230)]
    ages = dict(zip(tickers, _ages(len(tickers)), strict=True))
    newest = {ticker: made(ticker, 100.0, age=age) for ticker, age in ages.items()}
    older = [
        msgspec.structs.replace(made(ticker, 99.0), prediction_time=one.prediction_time - timedelta(seconds=ago))
        for ticker, one in newest.items()
        for ago in (1.0, 5.0)
    ]
    record(engine, PREDICTIONS, [sealed(one) for one in (*older, *newest.values())])
    with engine.connect() as connection:
        found = latest_predictions(connection, [*tickers, "NONE"], datetime.now(UTC))
    assert found == newest


def test_few_of_many_tell_how_far_back_the_others_are_looked_for(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a day's bounds PostgreSQL would read a whole page of the index for each."""
    asked: list[tuple[int, object]] = []
    honest = predictions._latest

    def watched(connection: object, tickers: list[str], since: object, until: object) -> object:
        asked.append((len(tickers), since))
        return honest(connection, tickers, since, until)  # type: ignore[arg-type]

    tickers = [f"T{number}" for number in range(200)]
    made_now = [made(ticker, 100.0, age=3.0) for ticker in tickers]
    record(engine, PREDICTIONS, [sealed(one) for one in made_now])
    monkeypatch.setattr(predictions, "_latest", watched)
    now = datetime.now(UTC)
    with engine.connect() as connection:
        assert len(latest_predictions(connection, tickers, now)) == 200
    oldest = min(one.prediction_time for one in made_now[::4])
    assert asked == [(50, now - timedelta(days=1)), (150, oldest)]


def test_a_database_without_tables_is_told_of(database_url: str) -> None:
    empty = make_engine(SecretStr(database_url), 1)
    with empty.begin() as connection:
        connection.execute(text("ALTER TABLE predictions RENAME TO elsewhere"))
    with pytest.raises(RetryableError, match="no tables yet"), database_errors(), empty.connect() as connection:
        latest_predictions(connection, ["AAPL"], datetime.now(UTC))
    empty.dispose()
