"""A made-up market of any size in a migrated database: tickers, sessions, reports, bars and a champion of each type."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from lightgbm import Dataset
from lightgbm import train as fit
from numpy.typing import NDArray
from sqlalchemy import Connection, insert, text

from riskee.features.definitions import SCALE_FEATURE, feature_set_hash, features_of
from riskee.market.bars import Floats
from riskee.market.sessions import Session
from riskee.messaging.messages import HORIZON, MODEL_TYPES, ModelType
from riskee.model.artifact import Calibration, ModelArtifact, ResidualQuantiles
from riskee.storage.calendar import Report, write_reports
from riskee.storage.database import driver_of
from riskee.storage.partitions import ensure_partitions
from riskee.storage.sessions import write_sessions
from riskee.storage.tables import TIME_SERIES, market_data, model_metadata
from riskee.storage.tickers import TickerInfo, write_tickers
from serving.bench.plan import BASE_PRICE, MARKET, ticker_name

SESSIONS = 300
# What `riskee.model.training` makes; importing it would load the whole offline side.
TREES, LEAVES = 150, 8
# Companies report once in so many sessions, each at its own place among them.
_QUARTER = 63
_AHEAD = 40
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_COLUMNS = ("ticker", "resolution", "timestamp", "version", "open", "high", "low", "close", "volume",
            "adjustment_factor", "dividend", "split", "source", "known_at", "recorded_at")  # fmt: skip


@dataclass(frozen=True)
class MadeMarket:
    """What was put into the database. `today` is the session that began an hour before; others follow it."""

    tickers: int
    today: date
    following: tuple[date, ...]


def _weekdays(last: date, count: int) -> list[date]:
    days = [last - timedelta(days=number) for number in range(2 * count)]
    return sorted(day for day in days if day.weekday() < 5)[-count:]


def _calendar(now: datetime) -> tuple[list[Session], Session, list[Session]]:
    """The sessions with bars, the one that runs now (on whatever day), and those after it."""
    today, begun = now.date(), now - timedelta(hours=1)
    past = [Session(day, _at(day, 14), _at(day, 21)) for day in _weekdays(today - timedelta(days=1), SESSIONS)]
    running = Session(today, begun, begun + timedelta(hours=8))
    # By the day of the one that runs: within an hour after midnight that one began on the day before.
    ahead = [
        Session(today + later, running.opens_at + later, running.closes_at + later)
        for later in (timedelta(days=number) for number in range(1, _AHEAD))
    ]
    return past, running, ahead


def _at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def fill(connection: Connection, tickers: int, now: datetime, seed: int = 1) -> MadeMarket:
    """Replace whatever market the database has."""
    connection.execute(text("TRUNCATE tickers, trading_sessions, market_data, earnings_calendar, quotes, predictions"))
    past, running, ahead = _calendar(now)
    names = [ticker_name(number) for number in range(tickers)]
    write_tickers(connection, [TickerInfo(name, name, is_index=False, source="made") for name in names])
    write_tickers(connection, [TickerInfo(MARKET, MARKET, is_index=True, source="made")])
    write_sessions(connection, [*past, running, *ahead])
    calendar = [session.session_date for session in (*past, running, *ahead)]
    write_reports(connection, _reports(names, calendar))
    _copy_bars(connection, [MARKET, *names], past, seed)
    return MadeMarket(tickers, running.session_date, tuple(session.session_date for session in ahead))


def _reports(names: list[str], calendar: list[date]) -> list[Report]:
    known_at = _at(calendar[0], 0)
    return [
        Report(name, day, known_at, "made")
        for number, name in enumerate(names)
        for day in calendar[number % _QUARTER :: _QUARTER]
    ]


def _walks(count: int, seed: int) -> dict[str, Floats]:
    """Prices and volumes (count, SESSIONS): random walks that end near BASE_PRICE, so that a quote of it is usual."""
    rng = np.random.default_rng(seed)
    steps = np.cumsum(rng.normal(0, 0.015, (count, SESSIONS)), axis=1)
    close = BASE_PRICE * np.exp(steps - steps[:, -1:])
    open_ = close * np.exp(rng.normal(0, 0.003, close.shape))
    return {
        "open": open_,
        "high": np.maximum(open_, close) * 1.004,
        "low": np.minimum(open_, close) * 0.996,
        "close": close,
        "volume": rng.uniform(1e6, 5e6, close.shape),
    }


def _copy_bars(connection: Connection, names: list[str], sessions: list[Session], seed: int) -> None:
    series = next(series for series in TIME_SERIES if series.table is market_data)
    days = [_at(session.session_date, 0) for session in sessions]
    ensure_partitions(connection, series, days[0], days[-1])
    header = b"PGCOPY\n\xff\r\n\0" + bytes(8)
    with (
        driver_of(connection).cursor() as cursor,
        cursor.copy(f"COPY market_data ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.write(header)
        for wide in (4, 5, 3):
            chosen = [name for name in names if len(name) == wide]
            if chosen:
                copy.write(_rows(chosen, days, seed + wide).tobytes())
        copy.write(b"\xff\xff")


def _rows(names: list[str], days: list[datetime], seed: int) -> NDArray[np.void]:
    """PostgreSQL's binary rows of the bars of equally long names: each field is its length, then its value."""
    kinds = [f"S{len(names[0])}", "S2", ">i8", ">i2", *[">f8"] * 8, "S4", ">i8", ">i8"]
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for column, kind in zip(_COLUMNS, kinds, strict=True):
        fields += [(f"{column}_length", ">i4"), (column, kind)]
    rows = np.zeros((len(names), len(days)), np.dtype(fields))
    rows["fields"] = len(_COLUMNS)
    for column in _COLUMNS:
        rows[f"{column}_length"] = rows[column].dtype.itemsize
    rows["ticker"] = np.array(names, "S")[:, None]
    rows["resolution"], rows["source"], rows["version"] = b"1d", b"made", 1
    rows["timestamp"] = [_microseconds(day) for day in days]
    rows["known_at"] = rows["recorded_at"] = _microseconds(days[-1])
    rows["adjustment_factor"] = rows["split"] = 1.0
    for column, values in _walks(len(names), seed).items():
        rows[column] = values
    return rows


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def made_model(model_type: ModelType, today: date, trees: int = TREES, leaves: int = LEAVES) -> ModelArtifact:
    """A model that learned noise from as many rows as give it all its leaves."""
    names = features_of(model_type)
    rng = np.random.default_rng(1)
    inputs = rng.normal(0, 1, (20_000, len(names)))
    parameters = {"objective": "regression", "num_leaves": leaves, "verbosity": -1, "num_threads": 1, "seed": 1}
    booster = fit(parameters, Dataset(inputs, rng.normal(0, 0.1, len(inputs))), num_boost_round=trees)
    return ModelArtifact(
        model_type=model_type,
        horizon=HORIZON,
        feature_set=feature_set_hash(model_type),
        features=names,
        scale_feature=SCALE_FEATURE,
        booster=booster.model_to_string(),
        calibration=Calibration(0.02, 0.3),
        residuals=ResidualQuantiles(-1.25, 0.0, 1.25),
        trained_from=today - timedelta(days=2000),
        trained_through=today - timedelta(days=2),
        valid_until=today + timedelta(days=400),
    )


def register(
    connection: Connection, artifact: ModelArtifact, now: datetime, *, made_by: str, training_rows: int
) -> None:
    """Add a made-up model as the champion of its type, which has none."""
    connection.execute(
        insert(model_metadata).values(
            model_version=artifact.version,
            model_type=artifact.model_type,
            alias="champion",
            artifact=artifact.to_bytes(),
            artifact_sha256=artifact.sha256,
            feature_set=artifact.feature_set,
            horizon=artifact.horizon,
            trained_from=artifact.trained_from,
            trained_through=artifact.trained_through,
            training_rows=training_rows,
            data_sha256="made",
            code_version=made_by,
            parameters={},
            metrics={},
            baselines={},
            decision="promoted",
            reason=made_by,
            created_at=now,
        )
    )


def crown(connection: Connection, now: datetime) -> dict[ModelType, ModelArtifact]:
    """Register a champion of each type."""
    artifacts = {model_type: made_model(model_type, now.date()) for model_type in MODEL_TYPES}
    for artifact in artifacts.values():
        register(connection, artifact, now, made_by="bench", training_rows=20_000)
    return artifacts
