"""The same migrations on TimescaleDB, either edition: `RISKEE_TEST_TIMESCALE_DSN` names a server that has it."""

import os
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import Engine, text

from riskee.clock import FixedClock
from riskee.settings import DatabaseSettings, Settings
from riskee.storage.bars import BarCounts, session_bars, upsert_bars
from riskee.storage.database import make_engine
from riskee.storage.migrations import Tier, detect_tier, migrate
from riskee.storage.partitions import apply_policies, ensure_partitions
from riskee.storage.recent_bars import recent_bars
from riskee.storage.retention import drop_expired
from riskee.storage.tables import TIME_SERIES, metadata
from tests.integration.test_bars import frame

DSN = os.environ.get("RISKEE_TEST_TIMESCALE_DSN", "")
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not DSN, reason="RISKEE_TEST_TIMESCALE_DSN names no server with TimescaleDB"),
]
NOW = datetime(2031, 5, 20, 12, tzinfo=UTC)


@pytest.fixture
def engine() -> Iterator[Engine]:
    """A migrated database with the extension."""
    name = f"riskee_{uuid.uuid4().hex[:12]}"
    url = SecretStr(f"{DSN.rsplit('/', 1)[0]}/{name}")
    with psycopg.connect(DSN, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        engine = make_engine(url, 2)
        try:
            with engine.begin() as connection:
                connection.execute(text("CREATE EXTENSION IF NOT EXISTS timescaledb"))
            for _ in range(2):
                migrate(url, Settings(), FixedClock(NOW))
            yield engine
        finally:
            engine.dispose()
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_the_series_are_hypertables_and_the_rest_is_as_declared(engine: Engine) -> None:
    def declared(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name in metadata.tables

    with engine.connect() as connection:
        assert detect_tier(connection) in {Tier.APACHE, Tier.COMMUNITY}
        hypertables = connection.scalars(text("SELECT hypertable_name FROM timescaledb_information.hypertables"))
        assert set(hypertables) == {series.table.name for series in TIME_SERIES}
        options = {"compare_type": True, "compare_server_default": True, "include_name": declared}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
        assert ensure_partitions(connection, TIME_SERIES[0], NOW, NOW + timedelta(days=800)) == 0


def test_bars_are_merged_and_read_as_on_plain_postgresql(engine: Engine) -> None:
    with engine.begin() as connection:
        assert upsert_bars(connection, frame("1962-12-28", 4)) == BarCounts(new=4)
        assert upsert_bars(connection, frame("1962-12-28", 4)) == BarCounts(unchanged=4)
        assert upsert_bars(connection, frame("1962-12-31", 1, close=130.5)) == BarCounts(changed=1)
        assert recent_bars(connection, date(1963, 1, 1), 2).close.tolist() == [[128.0, 130.5]]
        assert len(session_bars(connection, date(1962, 1, 1), date(1963, 12, 31))) == 4


def test_retention_drops_old_chunks(engine: Engine) -> None:
    with engine.begin() as connection:
        if detect_tier(connection) is Tier.COMMUNITY:
            pytest.skip("the Community edition drops chunks by its own policy")
        for age in (0, 200):
            quote = {"id": uuid.uuid4(), "at": NOW - timedelta(days=age)}
            connection.execute(
                text("INSERT INTO quotes VALUES (:id, :at, 'f', 'A', :at, :at, 1, 1, 1, 1, 1, 1, 1, true)"), quote
            )
        drop_expired(connection, DatabaseSettings(), NOW)
        assert connection.scalars(text("SELECT received_at FROM quotes")).all() == [NOW]


def test_policies_follow_the_settings(engine: Engine) -> None:
    ages = text(
        "SELECT proc_name, hypertable_name, COALESCE(config->>'drop_after', config->>'compress_after')"
        " FROM timescaledb_information.jobs WHERE hypertable_name IN ('quotes', 'market_data') ORDER BY 1, 2"
    )
    with engine.begin() as connection:
        if detect_tier(connection) is not Tier.COMMUNITY:
            assert connection.execute(ages).all() == []
            pytest.skip("only the Community edition has policies")
        apply_policies(connection, DatabaseSettings(predictions_retention_days=30, compress_after_days=5))
        assert [tuple(row) for row in connection.execute(ages)] == [
            ("policy_compression", "market_data", "5 days"),
            ("policy_compression", "quotes", "5 days"),
            ("policy_retention", "quotes", "30 days"),
        ]
