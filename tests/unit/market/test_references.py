"""Report dates, members and companies: what files say, and what of it is refused."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from riskee.errors import NotFoundError, PoisonError
from riskee.market.report_dates import reconcile, report_gaps
from riskee.market.sources.earnings import read_reports, with_former_names
from riskee.market.sources.reference import read_companies, read_membership
from riskee.market.sources.rows import ParsedFile
from riskee.storage.calendar import Report
from riskee.storage.findings import Finding, Kind
from riskee.storage.membership import Membership
from riskee.storage.tickers import Company
from tests.unit.market.real_files import DATA, needs_real_files
from tests.unit.market.test_files import write_parquet

EARNINGS = """symbol,earnings_date,eps_estimate,reported_eps,surprise,implied_volatility
AAPL,2018-07-31,2.18,2.34,+135997.44,0.2
AAPL,2018-11-01,-,-,-,no data available
AAPL,2019-01-29,n.a.,4.18,-,-
AAPL,2019-04-30,1e9,2.46,-,-
AAPL,2018-07-31,2.18,9.99,-,-
aapl,2018-07-31,2.18,2.34,-,-
AAPL,7/31/2018,2.18,2.34,-,-
"""


def write(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content)
    return path


def report(day: str, result: float | None = None, estimate: float | None = None, ticker: str = "AAPL") -> Report:
    return Report(ticker, date.fromisoformat(day), datetime(2018, 1, 1, tzinfo=UTC), "x", estimate, result)


def test_reports_are_read_without_their_surprise_and_absurd_rows_are_refused_with_the_reason(tmp_path: Path) -> None:
    found = read_reports(write(tmp_path, "eps.csv", EARNINGS))
    assert found.rows_read == 7
    known_at = datetime(2018, 7, 17, tzinfo=UTC), datetime(2018, 10, 18, tzinfo=UTC)
    assert found.entries == (
        Report("AAPL", date(2018, 7, 31), known_at[0], "file:eps.csv", 2.18, 2.34),
        Report("AAPL", date(2018, 11, 1), known_at[1], "file:eps.csv", None, None),
    )
    assert [reason for reason, _ in found.refused] == [
        "estimated EPS is not a number", "estimated EPS is beyond 1000",
        "an earlier row says the same, or contradicts it", "malformed ticker",
        "date cannot be read: write it as 2012-01-31",
    ]  # fmt: skip
    assert found.refused[-1][1] == "AAPL,7/31/2018,2.18,2.34"


def test_dates_alone_are_reports_from_csv_and_from_sqlite(tmp_path: Path) -> None:
    database = tmp_path / "dates.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE earnings (Ticker TEXT, Earnings_Date TEXT)")
        rows = [("META", "2012-07-26"), ("META", "2012-07-26"), ("IBM", "soon")]
        connection.executemany("INSERT INTO earnings VALUES (?, ?)", rows)
    found = read_reports(database)
    assert [(one.ticker, one.eps_reported) for one in found.entries] == [("META", None)]
    assert [(reason, said) for reason, said in found.refused] == [
        ("date cannot be read: write it as 2012-01-31", "IBM,soon,,")
    ]
    csv = read_reports(write(tmp_path, "dates.csv", "Ticker,Date\nMETA,2012-07-26\n"))
    assert [one.report_date for one in csv.entries] == [date(2012, 7, 26)]
    assert [one.ticker for one in with_former_names(csv.entries)] == ["META", "FB"]


def test_files_of_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PoisonError, match="no database of report dates"):
        read_reports(write(tmp_path, "x.db", "<html>" * 100))
    with pytest.raises(NotFoundError, match="there is no file"):
        read_reports(tmp_path / "missing.db")
    prices = write(tmp_path, "prices.csv", "symbol,close\nAAPL,10\n")
    with pytest.raises(PoisonError, match="has no column earnings_date; it has symbol, close"):
        read_reports(prices)
    with pytest.raises(PoisonError, match="has no column joined, left"):
        read_membership(prices, "SPX")
    with pytest.raises(PoisonError, match="has no column name, sector"):
        read_companies(prices)


def test_a_report_takes_the_known_date_on_which_or_soon_after_which_it_came_out() -> None:
    known = {"AAPL": [date(2018, 8, 1), date(2018, 11, 1)]}
    stored, refused = reconcile([report("2018-07-31", 2.34), report("2018-11-01", 2.91)], known)
    assert [(one.report_date, one.eps_reported) for one in stored] == [
        (date(2018, 11, 1), 2.91), (date(2018, 8, 1), 2.34),
    ]  # fmt: skip
    assert refused == []


def test_a_result_is_never_dated_before_it_came_out() -> None:
    stored, refused = reconcile([report("2018-08-02", 2.34)], {"AAPL": [date(2018, 8, 1)]})
    assert stored == []
    assert refused == [report("2018-08-02", 2.34)]


def test_of_dates_too_near_to_each_other_the_one_with_a_result_counts() -> None:
    rows = [report("2024-09-05"), report("2024-09-20", None, 5.0), report("2024-09-26", 5.29), report("2024-12-12")]
    stored, refused = reconcile([*rows, report("2024-09-06", ticker="IBM")], {})
    assert {(one.ticker, one.report_date) for one in stored} == {
        ("AAPL", date(2024, 9, 26)), ("AAPL", date(2024, 12, 12)), ("IBM", date(2024, 9, 6)),
    }  # fmt: skip
    assert [one.report_date.day for one in refused] == [20, 5]


def test_two_rows_of_one_known_report_are_not_both_stored() -> None:
    rows = [report("2018-07-25", 1.0), report("2018-07-31", None, 2.0), report("2018-08-01", 2.34)]
    stored, refused = reconcile(rows, {"AAPL": [date(2018, 8, 1)]})
    assert [one.eps_reported for one in stored] == [2.34]
    assert refused == rows[:2]


def test_a_missing_quarter_is_found() -> None:
    days = {"AAPL": [date(2018, 5, 1), date(2018, 1, 31), date(2018, 11, 1)], "IBM": [date(2019, 11, 1)]}
    assert list(report_gaps(days)) == [
        Finding("AAPL", date(2018, 11, 1), Kind.REPORT_GAP, "184 days after the report before")
    ]


def test_members_and_companies_are_read_and_wrong_rows_refused(tmp_path: Path) -> None:
    stays = (
        "symbol,name,opt-in,opt-out\nA,Agilent,2000-06-05,\nAA,Alcoa,1976-07-01,2016-11-01\nB,x,2001-01-01,2000-01-01\n"
    )
    found = read_membership(write(tmp_path, "stays.csv", stays), "SPX")
    assert found.entries == (
        Membership("SPX", "A", date(2000, 6, 5), None, "file:stays.csv"),
        Membership("SPX", "AA", date(1976, 7, 1), date(2016, 11, 1), "file:stays.csv"),
    )
    assert found.refused == (("left before it joined", "B,2001-01-01,2000-01-01"),)
    told = "Symbol,Security,GICS Sector\nMMM,3M,Industrials\nNA,,Energy\n"
    companies = read_companies(write(tmp_path, "companies.csv", told))
    assert companies.entries == (Company("MMM", "3M", "Industrials"),)
    assert companies.refused == (("no name or no sector", "NA,,Energy"),)


@needs_real_files
def test_the_real_files() -> None:
    dates = read_reports(DATA / "earnings" / "stocks_earnings_dates_0.1.9.db")
    eps = read_reports(DATA / "earnings" / "historicalearningsdata_0.3.csv")
    assert (len(dates.entries), len(dates.refused), len(eps.entries), len(eps.refused)) == (36845, 0, 12063, 0)
    known: dict[str, set[date]] = {}
    for one in dates.entries:
        known.setdefault(one.ticker, set()).add(one.report_date)
    # As the description of the file counts them.
    assert len(list(report_gaps(known))) == 682
    stored, refused = reconcile(eps.entries, known)
    assert len(stored) + len(refused) == 12063
    assert len(stored) > 11_000
    # Doing it again stores the same, and refuses the same.
    for one in stored:
        known.setdefault(one.ticker, set()).add(one.report_date)
    again = reconcile(eps.entries, known)
    assert set(again[0]) == set(stored)
    assert set(again[1]) == set(refused)
    members = read_membership(DATA / "meta" / "sp500_membership_history.csv", "SPX")
    assert (len(members.entries), len(members.refused)) == (887, 2)
    assert len(read_companies(DATA / "meta" / "pooksoft_constituents_2021.csv").entries) == 505


def _members(path: Path) -> ParsedFile[Membership]:
    days = pd.DataFrame({"date_added": ["1957-03-04", "1982-11-30"], "date_removed": ["2012-07-05", None]})
    write_parquet(days.apply(pd.to_datetime).assign(symbol=["IBM", "AAPL"]), path)
    return read_membership(path, "SPX")


def _dates(path: Path) -> ParsedFile[Report]:
    path.write_text("symbol,date\nIBM,2012-07-18\nAAPL,0001-01-02\n")
    return read_reports(path)


def _cells(path: Path) -> ParsedFile[Report]:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE earnings (Ticker, Earnings_Date)")
        rows = [("IBM", "2012-07-18"), (b"\xff\xfe", "2012-07-18"), ("AAPL", None), (7, 2012.5)]
        connection.executemany("INSERT INTO earnings VALUES (?, ?)", rows)
        connection.execute("INSERT INTO earnings VALUES (CAST(x'ff41' AS TEXT), '2012-07-18')")
    return read_reports(path)


@pytest.mark.parametrize(
    ("file", "read", "reasons"),
    [
        ("members.parquet", _members, []),
        ("dates.csv", _dates, ["date before 1792-05-17"]),
        (
            "dates.db",
            _cells,
            ["date cannot be read: write it as 2012-01-31"] * 2 + ["malformed ticker"] * 2,
        ),
    ],
)
def test_a_cell_that_is_empty_or_absurd_takes_no_other_row_with_it(
    tmp_path: Path, file: str, read: Callable[[Path], ParsedFile[Report | Membership]], reasons: list[str]
) -> None:
    found = read(tmp_path / file)
    assert "IBM" in {one.ticker for one in found.entries}
    assert sorted(reason for reason, _ in found.refused) == reasons
    assert found.rows_read == len(found.entries) + len(found.refused)
