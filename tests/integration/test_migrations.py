"""Migrations on a real PostgreSQL."""

import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import Engine, insert, select, text

from riskee.clock import FixedClock
from riskee.errors import FatalError, RetryableError
from riskee.settings import Settings
from riskee.storage.database import make_engine
from riskee.storage.migrations import Tier, detect_tier, migrate
from riskee.storage.partitions import ensure_partitions
from riskee.storage.tables import TIME_SERIES, feed_state, market_data, metadata

pytestmark = pytest.mark.integration
NOW = datetime(2031, 5, 20, 12, tzinfo=UTC)
BARS = TIME_SERIES[0]


@pytest.fixture
def empty_url(settings: Settings) -> Iterator[SecretStr]:
    """Address of a database without any table."""
    name = f"empty_{uuid.uuid4().hex[:12]}"
    server = settings.database.url.get_secret_value().rsplit("/", 1)[0]
    plain = server.replace("postgresql+psycopg://", "postgresql://", 1)
    with psycopg.connect(f"{plain}/postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield SecretStr(f"{server}/{name}")
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_the_migrated_database_is_what_the_tables_declare(engine: Engine) -> None:
    def declared(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name in metadata.tables

    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True, "include_name": declared}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
        tables = set(connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")))
        assert detect_tier(connection) is Tier.PLAIN
    assert set(metadata.tables) <= tables


def test_migrating_again_changes_nothing(empty_url: SecretStr, settings: Settings) -> None:
    engine = make_engine(empty_url, 1)
    seen = []
    for _ in range(2):
        migrate(empty_url, settings, FixedClock(NOW))
        with engine.connect() as connection:
            seen.append(connection.execute(text("SELECT oid, relname FROM pg_class ORDER BY oid")).all())
    engine.dispose()
    assert seen[0] == seen[1]
    assert "predictions_20310603" in {name for _, name in seen[0]}


def test_two_migrators_at_once(empty_url: SecretStr, settings: Settings) -> None:
    problems: list[BaseException] = []
    start = threading.Barrier(2)

    def run() -> None:
        start.wait()
        try:
            migrate(empty_url, settings)
        except BaseException as error:  # noqa: BLE001 (the thread's failure is the test's)
            problems.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_a_schema_newer_than_the_code_is_refused(database_url: str, engine: Engine, settings: Settings) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(FatalError, match="schema 9999, which this version of Riskee does not know"):
        migrate(SecretStr(database_url), settings)


def test_a_server_that_is_down_may_come_back(settings: Settings) -> None:
    with pytest.raises(RetryableError, match="does not answer"):
        migrate(SecretStr("postgresql://u:p@127.0.0.1:1/d"), settings)


def test_the_moving_average_starts_from_the_first_value_and_passes_over_null(engine: Engine) -> None:
    values = [None, 3.0, 5.0, None, -1.0, 2.5]
    alpha, average, expected = 2 / 13, None, []
    for value in values:
        if value is not None:
            average = value if average is None else average + alpha * (value - average)
        expected.append(average)
    with engine.connect() as connection:
        found = connection.scalars(
            text(
                "SELECT riskee_ema(value, :alpha) OVER (ORDER BY number)"
                " FROM unnest(CAST(:values AS float8[])) WITH ORDINALITY AS row (value, number) ORDER BY number"
            ),
            {"alpha": alpha, "values": values},
        ).all()
    assert found[0] is None
    np.testing.assert_allclose(list(found[1:]), np.array(expected[1:], dtype=float), rtol=1e-15)


def bar(moment: datetime) -> dict[str, object]:
    prices = dict.fromkeys(("open", "high", "low", "close", "volume", "adjustment_factor", "split"), 1.0)
    key = {"ticker": "AAPL", "resolution": "1d", "timestamp": moment, "version": 1}
    return {**key, **prices, "dividend": 0.0, "source": "test", "known_at": moment}


def tables_of(engine: Engine) -> list[tuple[str, datetime]]:
    with engine.connect() as connection:
        return [
            (row.name, row.timestamp)
            for row in connection.execute(
                text('SELECT CAST(tableoid AS regclass)::text AS name, "timestamp" FROM market_data ORDER BY 2')
            )
        ]


def test_a_time_without_a_partition_is_kept_and_moves_when_the_partition_comes(engine: Engine) -> None:
    moments = [datetime(year, 12, 31, 23, 59, tzinfo=UTC) for year in (1961, 1962, 2090)]
    with engine.begin() as connection:
        connection.execute(insert(market_data), [bar(moment) for moment in moments])
    assert {name for name, _ in tables_of(engine)} == {"market_data_default"}
    with engine.begin() as connection:
        assert ensure_partitions(connection, BARS, moments[0], moments[1]) == 2
        assert ensure_partitions(connection, BARS, moments[0], moments[1]) == 0
    assert tables_of(engine) == [
        ("market_data_1961", moments[0]),
        ("market_data_1962", moments[1]),
        ("market_data_default", moments[2]),
    ]


def test_two_processes_make_the_same_partitions(engine: Engine) -> None:
    made: list[int] = []
    start = threading.Barrier(2)

    def run() -> None:
        start.wait()
        with engine.begin() as connection:
            made.append(ensure_partitions(connection, BARS, NOW, NOW + timedelta(days=800)))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [0, 3]


def test_a_failed_migration_leaves_nothing(
    empty_url: SecretStr, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr("riskee.storage.migrations.make_ahead", fail)
    with pytest.raises(RuntimeError, match="power cut"):
        migrate(empty_url, settings)
    engine = make_engine(empty_url, 1)
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all() == []
    monkeypatch.undo()
    migrate(empty_url, settings)
    with engine.connect() as connection:
        assert connection.execute(select(feed_state)).all() == []
    engine.dispose()
