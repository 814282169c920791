"""What is known beside bars, in a real database: reports, members, companies."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

from riskee.clock import FixedClock
from riskee.documents.records import report_sources
from riskee.errors import PoisonError
from riskee.market.importing import import_earnings, import_file, import_index
from riskee.market.references import import_companies, import_membership, import_reports
from riskee.storage.bars import BarCounts
from riskee.storage.calendar import reports
from riskee.storage.findings import Kind, read_findings
from riskee.storage.imports import read_imports
from riskee.storage.membership import Survivorship, read_survivorship
from riskee.storage.quarantine import count_by_reason
from riskee.storage.tickers import read_tickers
from tests.integration.test_importing import csv
from tests.unit.market.frames import NOW, bars
from tests.unit.market.test_bundled import sample_blobs

pytestmark = pytest.mark.integration
CLOCK = FixedClock(NOW)
LATER = FixedClock(NOW + timedelta(days=1))


def write(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def stored(connection: Connection) -> list[tuple[object, ...]]:
    query = text("SELECT ticker, report_date, eps_estimate, eps_reported FROM earnings_calendar ORDER BY 1, 2")
    return [tuple(row) for row in connection.execute(query)]


def test_eps_join_the_dates_that_are_known_and_dates_take_no_eps_away(engine: Engine, tmp_path: Path) -> None:
    dates = write(tmp_path, "dates.csv", "ticker,date", "AAPL,2018-08-01", "AAPL,2019-08-01", "META,2018-07-26")
    header = "symbol,earnings_date,eps_estimate,reported_eps,surprise"
    eps = write(tmp_path, "eps.csv", header, "AAPL,2018-07-31,2.18,2.34,+135997", "AAPL,2018-08-20,9,9,-", "x,x,x,x,x")
    first = import_reports(engine, dates, CLOCK)
    assert (first.rows_read, first.rows_stored, first.quarantined, first.flags) == (3, 4, {}, {"report_gap": 1})
    assert first.rows_doubled == 1
    report = import_reports(engine, eps, LATER)
    assert (report.rows_read, report.rows_stored) == (3, 1)
    assert report.quarantined == {
        "date cannot be read: write it as 2012-01-31": 1,
        "less than 30 days from another report": 1,
    }
    import_reports(engine, dates, LATER)
    import_reports(engine, eps, LATER)
    with engine.connect() as connection:
        assert stored(connection) == [
            ("AAPL", date(2018, 8, 1), 2.18, 2.34), ("AAPL", date(2019, 8, 1), None, None),
            ("FB", date(2018, 7, 26), None, None), ("META", date(2018, 7, 26), None, None),
        ]  # fmt: skip
        assert reports(connection)["AAPL"].known_at.astype("datetime64[D]").tolist()[0] == date(2018, 7, 17)
        assert sum(count_by_reason(connection).values()) == 2
        (gap,) = read_findings(connection)
        assert (gap.ticker, gap.session, gap.kind, gap.found_at) == ("AAPL", date(2019, 8, 1), Kind.REPORT_GAP, NOW)
        assert len(read_imports(connection)) == 3


def test_a_missing_report_that_another_file_brings_is_missed_no_more(engine: Engine, tmp_path: Path) -> None:
    with_a_gap = write(tmp_path, "a.csv", "ticker,date", "AAPL,2018-02-01", "AAPL,2018-08-01", "IBM,2018-01-18")
    others = write(tmp_path, "b.csv", "ticker,date", "AAPL,2018-05-01", "AAPL,2019-02-01")
    import_reports(engine, with_a_gap, CLOCK)
    with engine.connect() as connection:
        assert [one.session for one in read_findings(connection)] == [date(2018, 8, 1)]
    assert import_reports(engine, others, LATER).flags == {"report_gap": 1}
    with engine.connect() as connection:
        (gap,) = read_findings(connection)
    assert (gap.session, gap.detail) == (date(2019, 2, 1), "184 days after the report before")
    # The first file again, which misses what the other has.
    assert import_reports(engine, with_a_gap, LATER).flags == {"report_gap": 1}
    import_reports(engine, write(tmp_path, "c.csv", "ticker,date", "AAPL,2018-11-01", "IBM,2018-10-17"), LATER)
    with engine.connect() as connection:
        assert [(one.ticker, one.session) for one in read_findings(connection)] == [("IBM", date(2018, 10, 17))]


def test_the_source_of_a_report_is_that_of_its_own_row(engine: Engine, tmp_path: Path) -> None:
    for name, *days in (("b.csv", "2018-05-01"), ("a.csv", "2018-02-01", "2018-08-01")):
        import_reports(engine, write(tmp_path, name, "ticker,date", *(f"AAPL,{day}" for day in days)), CLOCK)
    with engine.connect() as connection:
        found = report_sources(connection)
    assert {day.month: source for (_, day), source in found.items()} == {
        2: "report dates: file:a.csv", 5: "report dates: file:b.csv", 8: "report dates: file:a.csv",
    }  # fmt: skip


def test_a_file_of_something_else_leaves_no_trace(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(PoisonError):
        import_reports(engine, csv(tmp_path, bars().drop(columns="session")), CLOCK)
    with engine.connect() as connection:
        assert read_imports(connection) == []


def test_members_without_bars_tell_who_did_not_survive(engine: Engine, tmp_path: Path) -> None:
    """Bars of AAPL, IBM and NEW; of the five members that the index had in that week, three left no bars."""
    with engine.connect() as connection:
        assert read_survivorship(connection, "SPX") is None
    import_file(engine, csv(tmp_path, bars(("AAPL", "IBM", "NEW"))), CLOCK)
    members = write(
        tmp_path, "members.csv", "symbol,name,opt-in,opt-out",
        "AAPL,x,1982-11-30,", "IBM,x,1957-03-04,2012-07-05", "IBM,x,2012-07-06,", "GONE,x,1990-01-01,2012-07-03",
        "LATE,x,2012-07-06,", "OVER,x,1990-01-01,2012-07-02", "SOON,x,2012-07-07,", "DEAD,x,1990-01-01,",
    )  # fmt: skip
    assert import_membership(engine, members, "SPX", CLOCK).rows_stored == 8
    assert import_membership(engine, members, "SPX", LATER).rows_stored == 8
    with engine.connect() as connection:
        assert read_survivorship(connection, "DJI") is None
        assert read_survivorship(connection, "SPX") == Survivorship(
            first=date(2012, 7, 2), last=date(2012, 7, 6), tickers=3, members_first=4, members_first_with_bars=2,
            members_last=4, members_last_with_bars=2, members=5, members_without_bars=3,
        )  # fmt: skip


def test_companies_describe_tickers_that_are_known_and_add_none(engine: Engine, tmp_path: Path) -> None:
    path = csv(tmp_path, bars())
    import_file(engine, path, CLOCK)
    companies = write(tmp_path, "who.csv", "Symbol,Name,Sector", "AAPL,Apple Inc.,Technology", "XYZ,Xyz,Energy")
    report = import_companies(engine, companies, CLOCK)
    assert (report.rows_read, report.rows_stored) == (2, 1)
    assert report.notes == ("1 of its tickers have no bars here: they were passed over",)
    import_file(engine, path, LATER)
    with engine.connect() as connection:
        assert [(one.ticker, one.name, one.sector) for one in read_tickers(connection)] == [
            ("AAPL", "Apple Inc.", "Technology")
        ]


def test_an_index_of_closes_continues_one_of_bars(engine: Engine, tmp_path: Path) -> None:
    full = csv(tmp_path, bars(("SPX",)).iloc[:3], "full.csv")
    lines = [f"{day},10.5" for day in ("2012-07-03", "2012-07-05", "2012-07-06")]
    closes = write(tmp_path, "closes.csv", "Date,SP500", *lines, "2012-07-04,10.5")
    import_index(engine, full, CLOCK)
    report = import_index(engine, closes, LATER, ticker="SPX")
    assert report.bars == BarCounts(new=1, unchanged=2)
    assert report.flags == {"no_volume": 1, "close_only": 1}
    with engine.connect() as connection:
        assert [(one.ticker, one.is_index) for one in read_tickers(connection)] == [("SPX", True)]
        highs = connection.scalars(text("SELECT high FROM bars ORDER BY session_date")).all()
    assert highs == [11.0, 11.0, 11.0, 10.5]


def test_the_bundled_dates_join_those_of_a_file_that_was_there_before(engine: Engine, tmp_path: Path) -> None:
    """The bundled ones: META and FB on 26 July, IBM on 18 July."""
    header = "symbol,earnings_date,eps_estimate,reported_eps"
    eps = write(tmp_path, "eps.csv", header, "META,2012-07-25,0.11,0.12", "IBM,2012-07-19,3.43,3.51")
    import_reports(engine, eps, CLOCK)
    with engine.connect() as connection:
        before = stored(connection)
    assert len(before) == 3
    for clock in (CLOCK, LATER):
        # IBM's takes the date that is known. META's, a day late, would be a second report beside the known one.
        assert import_earnings(engine, sample_blobs(tmp_path / "blobs" / str(clock.now().day)), clock) == 1
    with engine.connect() as connection:
        assert stored(connection) == before
        assert count_by_reason(connection) == {("earnings-dates", "less than 30 days from another report"): 2}
