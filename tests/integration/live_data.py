"""A small market for the live path: made-up bars, sessions, reports and two small models."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from lightgbm import Dataset
from lightgbm import train as fit
from sqlalchemy import Connection, insert

from riskee.features.definitions import SCALE_FEATURE, feature_set_hash, features_of
from riskee.market.bars import Bar
from riskee.market.sessions import Session
from riskee.messaging.messages import MODEL_TYPES, ModelType
from riskee.model.artifact import Calibration, ModelArtifact, ResidualQuantiles
from riskee.storage.calendar import Report, write_reports
from riskee.storage.sessions import write_sessions
from riskee.storage.tables import market_data, model_metadata
from riskee.storage.tickers import TickerInfo, write_tickers
from serving.bench.market import register

MARKET = "SPX"
TICKERS = ("AAPL", "IBM", "MSFT")
FIRST = date(2012, 1, 2)
SESSIONS = 320
KNOWN_AT = datetime(2013, 6, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Market:
    """What was put into the database."""

    sessions: tuple[Session, ...]
    bars: tuple[Bar, ...]

    def bar(self, ticker: str, day: date) -> Bar:
        return next(bar for bar in self.bars if (bar.ticker, bar.session) == (ticker, day))


def made_sessions(count: int = SESSIONS) -> tuple[Session, ...]:
    """Weekdays, from FIRST."""
    days = (FIRST + timedelta(days=number) for number in range(2 * count))
    weekdays = [day for day in days if day.weekday() < 5][:count]
    return tuple(
        Session(
            day,
            datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC),
            datetime(day.year, day.month, day.day, 21, tzinfo=UTC),
        )
        for day in weekdays
    )


def made_bars(ticker: str, sessions: tuple[Session, ...], seed: int) -> list[Bar]:
    """A random walk."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.015, len(sessions))))
    open_ = close * np.exp(rng.normal(0, 0.005, len(sessions)))
    high = np.maximum(open_, close) * 1.004
    low = np.minimum(open_, close) * 0.996
    volume = rng.uniform(1e6, 5e6, len(sessions))
    columns = np.column_stack([open_, high, low, close, volume, np.ones(len(sessions))]).tolist()
    return [Bar(ticker, session.session_date, *numbers) for session, numbers in zip(sessions, columns, strict=True)]


def fill(connection: Connection, *, models: bool = True, tickers: tuple[str, ...] = TICKERS) -> Market:
    """Put the market into a migrated, empty database. AAPL has reports; its last session is near one."""
    # The calendar goes on beyond the last bar, as the real one does.
    calendar = made_sessions(SESSIONS + 20)
    sessions = calendar[:SESSIONS]
    names = (*tickers, MARKET)
    write_tickers(connection, [TickerInfo(name, name, name == MARKET, "made") for name in names])
    write_sessions(connection, calendar)
    bars = tuple(bar for seed, name in enumerate(names) for bar in made_bars(name, sessions, seed))
    connection.execute(insert(market_data), [market_row(bar) for bar in bars])
    reported = [sessions[-2 - 60 * quarter] for quarter in range(5)]
    write_reports(
        connection, [Report("AAPL", s.session_date, s.opens_at - timedelta(days=14), "made") for s in reported]
    )
    if models:
        for model_type in MODEL_TYPES:
            promote(connection, made_model(model_type))
    return Market(sessions, bars)


def market_row(bar: Bar) -> dict[str, object]:
    """A bar as the table stores it."""
    return {
        "ticker": bar.ticker,
        "resolution": "1d",
        "timestamp": datetime(bar.session.year, bar.session.month, bar.session.day, tzinfo=UTC),
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume,
        "adjustment_factor": bar.factor,
        "dividend": 0.0,
        "split": 1.0,
        "source": "made",
        "known_at": KNOWN_AT,
    }


def made_model(model_type: ModelType, seed: int = 1, valid_until: date = date(2014, 1, 1)) -> ModelArtifact:
    """A model that learned noise: real in form, small, and another one for each seed."""
    names = features_of(model_type)
    rng = np.random.default_rng(seed)
    inputs = rng.normal(0, 1, (300, len(names)))
    parameters = {"objective": "regression", "num_leaves": 4, "verbosity": -1, "num_threads": 1, "seed": seed}
    booster = fit(parameters, Dataset(inputs, rng.normal(0, 0.1, 300)), num_boost_round=5)
    return ModelArtifact(
        model_type=model_type,
        horizon="1d",
        feature_set=feature_set_hash(model_type),
        features=names,
        scale_feature=SCALE_FEATURE,
        booster=booster.model_to_string(),
        calibration=Calibration(0.02, 0.3),
        residuals=ResidualQuantiles(-1.25, 0.0, 1.25),
        trained_from=date(2010, 1, 4),
        trained_through=date(2011, 12, 30),
        valid_until=valid_until,
    )


def promote(connection: Connection, artifact: ModelArtifact) -> None:
    """Make a model the champion, as a promotion does."""
    table = model_metadata
    connection.execute(table.update().where(table.c.model_type == artifact.model_type).values(alias=None))
    register(connection, artifact, KNOWN_AT, made_by="test", training_rows=300)
