"""Files of an index or a fund: with a close only, without a ticker, as LEAN packs them."""

import io
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from riskee.errors import PoisonError
from riskee.market.frames import PRICES
from riskee.market.sessions import exchange_sessions
from riskee.market.sources.files import FileSource
from riskee.market.sources.index import IndexFile
from riskee.market.validation import validate
from riskee.storage.findings import Kind
from tests.unit.market.real_files import DATA, needs_real_files

LEAN = "20121001 00:00,1437600,1449000,1430500,1443500,130000000\n20121002 00:00,1447000,1449100,1436000,1445000,1\n"


def write(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content)
    return path


def zipped(folder: Path, **members: str) -> Path:
    path = folder / "spy.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("header", ["Date,SP500", "date,close", "DATE,Adj Close"])
def test_a_file_of_closes_is_an_index_of_flat_bars(tmp_path: Path, header: str) -> None:
    raw = IndexFile(write(tmp_path, "index.csv", f"{header}\n2012-10-01,1444.49\n2012-10-02,.\n"), "SPX").read()
    first, second = raw.bars.iloc[0], raw.bars.iloc[1]
    assert [first[name] for name in PRICES] == [1444.49] * 4
    assert (first["ticker"], first["volume"], first["adjustment_factor"]) == ("SPX", 0.0, 1.0)
    assert second[list(PRICES)].isna().all()
    assert [(info.ticker, info.is_index) for info in raw.tickers] == [("SPX", True)]


def test_an_index_need_not_have_a_volume_but_a_stock_must(tmp_path: Path) -> None:
    path = write(tmp_path, "index.csv", "date,open,high,low,close\n2012-10-01,1,2,1,2\n")
    assert IndexFile(path, "SPX").read().bars["volume"].tolist() == [0.0]
    with pytest.raises(PoisonError, match="has no column volume"):
        FileSource(path, "SPX").read()


def test_a_file_says_which_ticker_it_is_of_or_the_caller_does(tmp_path: Path) -> None:
    bare = write(tmp_path, "bare.csv", "date,open,high,low,close,volume\n2012-10-01,1,2,1,2,3\n")
    named = write(tmp_path, "named.csv", "symbol,date,close\nVIX,2012-10-01,16\nSPX,2012-10-01,1444\n")
    assert FileSource(bare, "IBM").read().bars["ticker"].tolist() == ["IBM"]
    assert [info.ticker for info in IndexFile(named).read().tickers] == ["VIX", "SPX"]
    with pytest.raises(PoisonError, match="has no column ticker"):
        IndexFile(bare).read()
    with pytest.raises(PoisonError, match="says itself which ticker"):
        IndexFile(named, "SPX").read()


@pytest.mark.parametrize(
    ("dates", "read"),
    [
        (("1/4/2012", "1/13/2012"), ["2012-01-04", "2012-01-13"]),
        # Nothing says which number is the month.
        (("1/4/2012", "1/5/2012"), [None, None]),
        (("13/1/2012", "1/13/2012"), [None, None]),
        # A row that is none of these is refused alone.
        (("1/13/2012", "soon"), ["2012-01-13", None]),
    ],
)
def test_an_american_date_is_read_where_the_column_leaves_no_doubt(
    tmp_path: Path, dates: tuple[str, ...], read: list[str | None]
) -> None:
    path = write(tmp_path, "index.csv", "Date,vix\n" + "".join(f"{day},16\n" for day in dates))
    session = IndexFile(path, "VIX").read().bars["session"]
    assert [None if pd.isna(day) else f"{day:%Y-%m-%d}" for day in session] == read


def test_leans_zip_is_read_in_dollars_under_the_name_of_its_csv(tmp_path: Path) -> None:
    raw = IndexFile(zipped(tmp_path, **{"spy.csv": LEAN})).read()
    bar = raw.bars.iloc[0]
    assert (bar["ticker"], bar["session"], bar["volume"]) == ("SPY", pd.Timestamp("2012-10-01"), 1.3e8)
    assert [bar[name] for name in PRICES] == [143.76, 144.90, 143.05, 144.35]
    assert raw.tickers[0].is_index
    assert FileSource(zipped(tmp_path, **{"aapl.csv": LEAN})).read().bars["ticker"].tolist() == ["AAPL", "AAPL"]


@pytest.mark.parametrize(
    ("members", "cause"),
    [
        ({"a.csv": LEAN, "b.csv": LEAN}, "it holds 2 files"),
        ({"readme.txt": "x"}, "it holds 1 files"),
        ({"20131008_spy_minute_trade.csv": "34200000,1,1,1,1,1\n"}, "a row has the columns 34200000"),
        ({"spy.csv": "20121001 00:00,1,2\n"}, "a row has the columns 20121001 00:00, 1, 2"),
        ({"spy.csv": ""}, "cannot be read"),
    ],
)
def test_another_zip_is_refused(tmp_path: Path, members: dict[str, str], cause: str) -> None:
    with pytest.raises(PoisonError, match=cause):
        FileSource(zipped(tmp_path, **members)).read()


def test_a_damaged_zip_is_refused(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("spy.csv", LEAN)
    path = tmp_path / "spy.zip"
    path.write_bytes(packed.getvalue()[:60])
    with pytest.raises(PoisonError, match="damaged"):
        FileSource(path).read()


@needs_real_files
@pytest.mark.parametrize(
    ("name", "ticker", "bars", "first", "last"),
    [
        ("skfolio_sp500_index.csv.gz", "SPX", 8313, date(1990, 1, 2), date(2022, 12, 28)),
        ("arch_vix_2014_2019.csv.gz", "VIX", 1259, date(2014, 1, 3), date(2019, 1, 3)),
        ("arch_gspc_ohlcv_1999_2018.csv.gz", "SPX", 5031, date(1999, 1, 4), date(2018, 12, 31)),
        ("lean_spy_daily.zip", None, 5660, date(1998, 1, 2), date(2020, 6, 30)),
        ("lean_iwm_daily.zip", None, 5055, date(2000, 5, 26), date(2020, 6, 30)),
    ],
)
def test_the_real_index_files(name: str, ticker: str | None, bars: int, first: date, last: date) -> None:
    raw = IndexFile(DATA / "index" / name, ticker).read()
    checked = validate(raw.bars, exchange_sessions(first, last), datetime(2023, 1, 1, tzinfo=UTC))
    session = checked.accepted["session"]
    assert (len(session), session.min().date(), session.max().date()) == (bars, first, last), checked.reasons
    close_only = [finding.kind for finding in checked.findings if finding.kind is Kind.CLOSE_ONLY]
    assert len(close_only) == (name in {"skfolio_sp500_index.csv.gz", "arch_vix_2014_2019.csv.gz"})
