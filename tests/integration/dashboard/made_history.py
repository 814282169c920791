"""A past of predictions and what became of them, as the chart and the record show it."""

import math
import uuid
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import msgspec
from sqlalchemy import Engine

from riskee.messaging.messages import Flag, Interval, Prediction
from riskee.settings import Settings
from riskee.storage.recording import PREDICTIONS, record
from riskee.storage.track_record import Head, append
from tests.integration.made_predictions import sealed
from tests.integration.marts import make_marts
from tests.unit.messaging import samples

LAST = date(2012, 9, 6)
HALF_WIDTH = 0.02
EXPECTED = 0.001


def sessions(count: int) -> list[date]:
    """Weekdays up to the last session."""
    days = (LAST - timedelta(days=number) for number in range(2 * count))
    return sorted([day for day in days if day.weekday() < 5][:count])


def prediction(ticker: str, session: date, price: float, p_up: float = 0.55, minutes_ago: int = 0) -> Prediction:
    """One whose direction and interval are as plain as can be."""
    expected = EXPECTED if p_up >= 0.5 else -EXPECTED
    made = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    low, high = price * (1 - HALF_WIDTH), price * (1 + HALF_WIDTH)
    return msgspec.structs.replace(
        samples.PREDICTION, prediction_id=uuid.uuid4(), ticker=ticker, price=price, p_up=p_up,
        confidence=max(p_up, 1 - p_up), prediction_time=made, expected_return=expected,
        predicted_price=price * math.exp(expected), session_date=session,
        data_time=datetime(session.year, session.month, session.day, 20, tzinfo=UTC), flags=(Flag.REPLAY,),
        interval=Interval(p10=low, p50=price * math.exp(expected), p90=high),
    )  # fmt: skip


def write_history(engine: Engine, settings: Settings, ticker: str, prices: list[float]) -> list[Prediction]:
    """A prediction a session, each settled by the price of the next; half of the directions are hit."""
    days = sessions(len(prices))
    made = [
        prediction(ticker, day, price, 0.5 + (0.05 if number % 2 else -0.05), len(prices) - 1 - number)
        for number, (day, price) in enumerate(zip(days, prices, strict=True))
    ]
    make_marts(engine, settings)
    record(engine, PREDICTIONS, [sealed(one) for one in made])
    rows = [_settled(one, then.price, then.session_date) for one, then in pairwise(made)]
    with engine.begin() as connection:
        append(connection, rows, Head())
    return made


def _settled(made: Prediction, close: float, session: date) -> tuple[object, ...]:
    bounds = math.log(1 - HALF_WIDTH), math.log(1 + HALF_WIDTH)
    return (
        made.prediction_id, made.ticker, made.model_type, made.model_version, made.feed, made.data_time,
        made.session_date, session, made.expected_return, made.p_up, *bounds, math.log(close / made.price),
        datetime.now(UTC),
    )  # fmt: skip


def wandering(count: int) -> list[float]:
    """Prices that rise and fall, one in eleven steps wider than the interval."""
    prices = [600.0]
    for number in range(count - 1):
        step = 0.03 if number % 11 == 10 else 0.004 + 0.008 * ((number * 7) % 5) / 5
        prices.append(prices[-1] * math.exp(step if (number * 3) % 7 < 4 else -step))
    return prices
