"""The newest stored prediction of each ticker, whenever it was made."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from sqlalchemy import Engine, text

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
