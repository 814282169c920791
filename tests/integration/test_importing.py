"""Importing into a real database: nothing accepted is lost, nothing refused is silent."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text

from riskee.clock import FixedClock
from riskee.errors import PoisonError, RetryableError
from riskee.market import importing
from riskee.market.importing import import_bars, import_earnings, import_file, import_macro, import_sessions
from riskee.market.sources.bundled import BundledIndex, BundledStocks
from riskee.storage.bars import BarCounts, upsert_bars
from riskee.storage.calendar import reports
from riskee.storage.database import make_engine
from riskee.storage.feed_state import FeedState, read_feed_state, write_feed_state
from riskee.storage.imports import read_imports
from riskee.storage.macro import read_macro
from riskee.storage.quarantine import Rejection, add_rejections, count_by_reason
from riskee.storage.sessions import read_sessions
from riskee.storage.tickers import read_tickers, summaries
from tests.unit.market.frames import DAYS, NOW, bars
from tests.unit.market.test_bundled import FolderBlobs, sample_blobs

pytestmark = pytest.mark.integration
CLOCK = FixedClock(NOW)


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return sample_blobs(tmp_path)


def csv(folder: Path, frame: pd.DataFrame, name: str = "prices.csv") -> Path:
    path = folder / name
    frame.to_csv(path, index=False)
    return path


def test_good_rows_are_stored_and_bad_ones_quarantined_with_what_they_said(engine: Engine, tmp_path: Path) -> None:
    frame = bars(("AAPL", "IBM", "aapl")).astype({"volume": "str"})
    frame.loc[1, "close"] = -10.5
    frame.loc[6, "volume"] = "many"
    path = csv(tmp_path, frame)
    seen: list[tuple[int, int]] = []
    report = import_file(engine, path, CLOCK, lambda done, total: seen.append((done, total)))
    assert report.bars == BarCounts(new=6)
    assert report.quarantined == {"malformed ticker": 4, "close is not positive": 1, "volume is not a number": 1}
    assert (report.rows_read, report.rows_accepted, report.rows_quarantined) == (12, 6, 6)
    assert (report.first, report.last, report.tickers) == (date(2012, 7, 2), date(2012, 7, 6), 2)
    assert seen == [(6, 6)]
    with engine.connect() as connection:
        assert count_by_reason(connection) == {("prices.csv", reason): n for reason, n in report.quarantined.items()}
        body = connection.scalar(text("SELECT body FROM quarantine WHERE reason = 'volume is not a number'"))
        assert '"volume":"many"' in body
        assert '"row":6' in body
        assert [(s.ticker, s.bars, s.sources, s.quarantined) for s in summaries(connection)] == [
            ("AAPL", 3, ("file:prices.csv",), 1),
            ("IBM", 3, ("file:prices.csv",), 1),
        ]
        known = connection.scalars(text("SELECT DISTINCT known_at FROM market_data ORDER BY 1")).all()
        assert known[0] == datetime(2012, 7, 2, 20, tzinfo=UTC)
        sessions = read_sessions(connection)
        assert [session.session_date.isoformat() for session in sessions[:4]] == list(DAYS)
        assert sessions[-1].session_date == date(2013, 7, 9)
        (record,) = read_imports(connection)
        assert (record.rows_read, record.rows_accepted, record.rows_quarantined) == (12, 6, 6)
        assert record.file_name == "prices.csv"


def test_importing_again_changes_nothing_but_the_record(engine: Engine, tmp_path: Path) -> None:
    frame = bars()
    frame.loc[1, "close"] = -10.5
    path = csv(tmp_path, frame)
    import_file(engine, path, CLOCK)
    again = import_file(engine, path, FixedClock(datetime(2012, 7, 10, tzinfo=UTC)))
    assert again.bars == BarCounts(unchanged=3)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM market_data")) == 3
        assert connection.scalar(text("SELECT count(*) FROM quarantine")) == 1
        assert len(read_imports(connection)) == 2


def test_an_interrupted_import_keeps_its_chunks_and_is_completed_by_the_next(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = csv(tmp_path, bars(("AAPL", "IBM", "MSFT")))
    monkeypatch.setattr(importing, "CHUNK_ROWS", 4)

    def fail(done: int, _total: int) -> None:
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_file(engine, path, CLOCK, fail)
    with engine.connect() as connection:
        assert [record.rows_accepted for record in read_imports(connection)] == [8]
    report = import_file(engine, path, FixedClock(datetime(2012, 7, 10, tzinfo=UTC)))
    assert report.bars == BarCounts(new=4, unchanged=8)


def test_a_chunk_that_fails_is_not_half_stored(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "CHUNK_ROWS", 4)
    written = iter([True, False])

    def failing(connection, chunk, recorded_at):  # type: ignore[no-untyped-def]
        counts = upsert_bars(connection, chunk, recorded_at)
        if not next(written):
            connection.execute(text("SELECT 1 / 0"))
        return counts

    monkeypatch.setattr(importing, "upsert_bars", failing)
    with pytest.raises(Exception, match="division by zero"):
        import_file(engine, csv(tmp_path, bars(("AAPL", "IBM"))), CLOCK)
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT DISTINCT ticker FROM market_data")).all() == ["AAPL"]
        assert [record.rows_accepted for record in read_imports(connection)] == [4]


def test_a_file_without_one_good_row_stores_none_and_says_why(engine: Engine, tmp_path: Path) -> None:
    report = import_file(engine, csv(tmp_path, bars(session="7/2/2012")), CLOCK)
    assert report.rows_accepted == 0
    assert report.quarantined == {"date cannot be read: write it as 2012-01-31": 4}
    assert (report.first, report.last) == (None, None)


def test_a_damaged_file_leaves_no_trace(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "damaged.parquet"
    path.write_bytes(b"PAR1 no more")
    with pytest.raises(PoisonError, match=r"damaged\.parquet cannot be read"):
        import_file(engine, path, CLOCK)
    with engine.connect() as connection:
        assert read_imports(connection) == []


def test_a_database_that_is_down_may_come_back(tmp_path: Path) -> None:
    engine = make_engine(SecretStr("postgresql://u:p@127.0.0.1:1/d"), 1)
    with pytest.raises(RetryableError, match="does not answer"):
        import_file(engine, csv(tmp_path, bars()), CLOCK)


def test_the_bundled_history(engine: Engine, blobs: FolderBlobs) -> None:
    assert import_bars(engine, BundledStocks(blobs), CLOCK).bars == BarCounts(new=1)
    assert import_bars(engine, BundledIndex(blobs, "SPX"), CLOCK).bars == BarCounts(new=1)
    assert import_earnings(engine, blobs, CLOCK) == import_earnings(engine, blobs, CLOCK) == 3
    assert import_macro(engine, blobs) == import_macro(engine, blobs) == 24
    assert import_sessions(engine, CLOCK) > 0
    with engine.connect() as connection:
        known = {info.ticker: info for info in read_tickers(connection)}
        assert (known["AAPL"].name, known["AAPL"].is_index) == ("Apple", False)
        assert known["SPX"].is_index
        known_reports = reports(connection)
        assert known_reports["FB"].date.astype(str).tolist() == ["2012-07-26"]
        assert known_reports["FB"].known_at.astype(str).tolist() == ["2012-07-12T00:00:00.000000"]
        assert np.isnan(known_reports["FB"].eps_reported).all()
        assert len(read_macro(connection)) == 24
        assert read_sessions(connection)[0].session_date == date(1999, 1, 4)


def test_a_name_from_the_source_outlives_a_file_that_has_none(
    engine: Engine, blobs: FolderBlobs, tmp_path: Path
) -> None:
    import_bars(engine, BundledStocks(blobs), CLOCK)
    import_file(engine, csv(tmp_path, bars()), CLOCK)
    with engine.connect() as connection:
        assert {info.ticker: info.name for info in read_tickers(connection)}["AAPL"] == "Apple"


def test_garbage_can_be_quarantined_once(engine: Engine) -> None:
    garbage = Rejection(NOW, "data.market.quote", "not JSON", 'x\x00"ticker": "IBM"\ufffd')
    with engine.begin() as connection:
        assert add_rejections(connection, [garbage, garbage]) == 1
        assert add_rejections(connection, [garbage]) == 0
        assert count_by_reason(connection) == {("data.market.quote", "not JSON"): 1}


def test_a_feed_remembers_where_it_stopped(engine: Engine) -> None:
    with engine.begin() as connection:
        assert read_feed_state(connection, "replay") is None
        for day in (2, 3):
            state = FeedState("replay", 1, date(2012, 7, day), NOW)
            write_feed_state(connection, state)
            assert read_feed_state(connection, "replay") == state
