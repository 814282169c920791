"""What is odd in accepted bars: found, named, and nothing else."""

import tarfile
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riskee.market.findings import find, thin, usual_split
from riskee.market.sessions import Session, exchange_sessions
from riskee.market.sources.files import FileSource
from riskee.market.validation import INTRADAY, validate
from riskee.storage.findings import WHOLE_SOURCE, Finding, Kind
from tests.unit.market.real_files import DATA, needs_real_files

SESSIONS = exchange_sessions(date(2012, 1, 3), date(2014, 12, 31))
CLOSE = 100.0


def history(ticker: str = "AAPL", first: int = 0, last: int = 10) -> pd.DataFrame:
    """Calm bars of the sessions numbered `first` to `last`, the last one left out."""
    days = [session.session_date for session in SESSIONS[first:last]]
    return pd.DataFrame(
        {
            "ticker": ticker, "session": pd.to_datetime(days), "open": CLOSE, "high": CLOSE + 1, "low": CLOSE - 1,
            "close": CLOSE, "volume": 1e6, "adjustment_factor": 1.0, "dividend": 0.0, "split": 1.0,
        }
    )  # fmt: skip


def acted(ratio: float, opened: float, factor: float | None = None, dividend: float = 0.0) -> pd.DataFrame:
    """A history with a split, or a dividend, at its sixth session, which opens at `opened` of the close before."""
    frame = history()
    frame.loc[5, ["split", "dividend"]] = [ratio, dividend]
    frame.loc[5:, ["open", "high", "low", "close"]] *= opened
    frame.loc[5:, "adjustment_factor"] = ratio if factor is None else factor
    return frame


def found(*frames: pd.DataFrame, sessions: list[Session] = SESSIONS) -> dict[tuple[str, date, Kind], str]:
    bars = pd.concat(frames, ignore_index=True)
    return {(one.ticker, one.session, one.kind): one.detail for one in find(bars, sessions)}


def kinds(*frames: pd.DataFrame) -> list[tuple[str, int, Kind]]:
    """Ticker, number of the session, and kind of what was found."""
    number = {session.session_date: n for n, session in enumerate(SESSIONS)}
    return [(ticker, number[day], kind) for ticker, day, kind in found(*frames)]


def test_calm_bars_and_no_bars_have_nothing_odd() -> None:
    assert kinds(history("AAPL"), history("IBM")) == []
    assert find(history().iloc[:0], SESSIONS) == []


@pytest.mark.parametrize("ratio", [2.0, 7.000007, 1.499999, 4 / 3, 1.25, 50.0, 0.1, 1 / 3, 0.142857, 2 / 3])
def test_the_ratios_that_companies_split_by(ratio: float) -> None:
    assert usual_split(np.array([ratio])).all()
    assert kinds(acted(ratio, 1 / ratio)) == []


@pytest.mark.parametrize("ratio", [1.054, 0.955, 1.011, 1.487, 0.303582, 1.05])
def test_a_ratio_that_the_price_follows_but_nobody_splits_by_is_a_spin_off(ratio: float) -> None:
    assert not usual_split(np.array([ratio])).any()
    assert kinds(acted(ratio, 1 / ratio)) == [("AAPL", 5, Kind.SPIN_OFF_RATIO)]


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        # The price did not move by what the split says.
        (acted(0.303582, 0.994), "opened at 0.994 of the close before, 0.302 when adjusted by 0.3036"),
        # Nor by all of it: something was spun off as well.
        (acted(1 / 7, 4.094), "0.585 when adjusted"),
        # The dividend on the same day was never paid.
        (acted(4.0, 0.25, 4.37, 3.0), "split 4, dividend 3: opened at 0.250 of the close before, 1.092"),
    ],
)
def test_a_split_that_does_not_explain_the_price_is_suspicious(frame: pd.DataFrame, told: str) -> None:
    details = {kind: detail for (_, _, kind), detail in found(frame).items() if kind is not Kind.PRICE_JUMP}
    assert list(details) == [Kind.SUSPICIOUS_SPLIT]
    assert told in details[Kind.SUSPICIOUS_SPLIT]


def test_a_dividend_that_the_price_does_not_show_is_suspicious_and_a_crash_is_not() -> None:
    assert kinds(acted(1.0, 1.005, 1.1408, 12.46)) == [("AAPL", 5, Kind.SUSPICIOUS_FACTOR)]
    assert kinds(acted(1.0, 0.876, 1.1408, 12.46)) == []
    assert kinds(acted(1.0, 0.6, 1.03, 2.0)) == []
    assert kinds(acted(1.0, 0.5, 1.2, 20.0)) == []
    assert kinds(acted(1.0, 1.1, 1.03, 2.0)) == []


def test_a_price_that_doubles_for_a_day_is_a_spike_and_one_that_stays_a_jump() -> None:
    spike, jump, end = history("A"), history("B"), history("C")
    prices = ["open", "high", "low", "close"]
    spike.loc[4, prices] *= 2.5
    jump.loc[4:, prices] *= 0.4
    end.loc[9, prices] *= 2.5
    assert kinds(spike, jump, end) == [
        ("A", 4, Kind.PRICE_SPIKE), ("B", 4, Kind.PRICE_JUMP), ("C", 9, Kind.PRICE_JUMP),
    ]  # fmt: skip


def test_the_first_bar_of_a_ticker_is_compared_with_none() -> None:
    dear = history("IBM")
    dear[["open", "high", "low", "close"]] *= 50
    dear["adjustment_factor"] = 0.1
    assert kinds(history("AAPL"), dear, history("MSFT")) == []


def test_the_last_days_of_some_tickers_say_nothing_of_histories_nor_of_the_bars_before_them() -> None:
    old, new, index = history("OLD", first=5), history("NEW"), history("VIX", first=5)
    old = old.drop(index=3)
    index["volume"] = 0.0
    new.loc[[1, 6], "volume"] = 0.0
    bars = pd.concat([new, old, index], ignore_index=True)
    # One of five sessions is missing: that is a gap, and no sparse history.
    assert [(one.ticker, one.session, one.kind) for one in find(bars, SESSIONS, whole=False)] == [
        ("NEW", SESSIONS[6].session_date, Kind.ZERO_VOLUME), ("OLD", SESSIONS[9].session_date, Kind.GAP),
    ]  # fmt: skip


def test_each_day_without_volume_is_found_but_an_index_without_any_once() -> None:
    stock, index, closes = history("AAPL"), history("VIX"), history("SPX")
    stock.loc[[3, 7], "volume"] = 0.0
    index["volume"] = closes["volume"] = 0.0
    closes["high"] = closes["low"] = CLOSE
    assert kinds(stock, closes, index) == [
        ("AAPL", 3, Kind.ZERO_VOLUME), ("AAPL", 7, Kind.ZERO_VOLUME),
        ("SPX", 0, Kind.NO_VOLUME), ("VIX", 0, Kind.NO_VOLUME), ("SPX", 0, Kind.CLOSE_ONLY),
    ]  # fmt: skip


def test_late_listings_and_early_ends_stand_at_their_first_and_last_bar() -> None:
    assert kinds(history("A"), history("B", first=2), history("C", last=7)) == [
        ("B", 2, Kind.LATE_LISTING), ("C", 6, Kind.EARLY_END),
    ]  # fmt: skip


def test_a_hole_is_one_finding_and_a_history_full_of_them_too() -> None:
    long, sparse = history("A", last=60), history("B", last=60).iloc[::2]
    (gap,) = found(long.drop(index=[20, 21, 22])).items()
    assert gap[0] == ("A", SESSIONS[23].session_date, Kind.GAP)
    assert gap[1] == f"3 sessions from {SESSIONS[20].session_date} on have no bar before this one"
    details = found(long, pd.concat([sparse, history("B", 59, 60)]))
    assert details == {("B", SESSIONS[0].session_date, Kind.SPARSE): "29 of 60 sessions have no bar"}


def minutes(ticker: str, *, every: int, leave_out: int = 1, days: int = 2) -> pd.DataFrame:
    """Rows of the first sessions, one in so many minutes; of each `leave_out` steps after the first ten, one."""
    frames = []
    for session in SESSIONS[:days]:
        stamps = pd.date_range(f"{session.session_date} 09:30", periods=390 // every, freq=f"{every}min")
        frames.append(pd.DataFrame({"ticker": ticker, "session": [*stamps[:10], *stamps[10::leave_out]]}))
    return pd.concat(frames, ignore_index=True)


def test_intraday_rows_with_too_few_of_a_sessions_minutes_are_sparse() -> None:
    whole = [minutes("A", every=1), minutes("B", every=15), minutes("C", every=15, days=1).iloc[:1]]
    bars = pd.concat([*whole, minutes("D", every=1, leave_out=4), minutes("E", every=15, leave_out=3)])
    assert [(one.ticker, one.session, one.kind, one.detail) for one in thin(bars, SESSIONS)] == [
        (ticker, SESSIONS[0].session_date, Kind.SPARSE, f"{told}; none is stored")
        for ticker, told in (
            ("D", "210 of 780 intraday bars of 1 min are there"), ("E", "32 of 52 intraday bars of 15 min are there"),
        )
    ]  # fmt: skip


def test_many_tickers_of_which_none_vanishes_are_a_choice_of_survivors() -> None:
    frames = [history(f"T{number}", last=600) for number in range(20)]
    assert list(found(*frames)) == [(WHOLE_SOURCE, SESSIONS[599].session_date, Kind.SURVIVORSHIP_BIAS)]
    assert list(found(*frames[:-1])) == []
    assert [kind for *_, kind in found(*frames[:-1], history("T19", last=599))] == [Kind.EARLY_END]


@needs_real_files
def test_the_faults_of_the_real_file_are_found() -> None:
    """446 tickers, 2010 to June 2020. What its description counts beyond that (28 days without volume, 63 late tickers,
    PFE's 1.054) lies in the part of the original that was cut off."""
    raw = FileSource(DATA / "daily" / "pooksoft_sp500_daily_2010_2020H1.parquet").read()
    sessions = exchange_sessions(date(2010, 1, 4), date(2020, 6, 30))
    checked = validate(raw.bars, sessions, datetime(2021, 1, 1, tzinfo=UTC))
    assert checked.reasons.empty
    assert Counter(finding.kind for finding in checked.findings) == {
        Kind.SUSPICIOUS_SPLIT: 5, Kind.SUSPICIOUS_FACTOR: 3, Kind.SPIN_OFF_RATIO: 12, Kind.PRICE_JUMP: 3,
        Kind.ZERO_VOLUME: int((raw.bars["volume"] == 0).sum()), Kind.LATE_LISTING: 58, Kind.SURVIVORSHIP_BIAS: 1,
    }  # fmt: skip
    named = {(finding.ticker, finding.session): finding for finding in checked.findings}
    assert named["JCI", date(2016, 9, 6)].kind is Kind.SPIN_OFF_RATIO
    of_generac = [finding for finding in checked.findings if finding.ticker == "GNRC"]
    assert Finding(
        "GNRC", date(2010, 2, 12), Kind.SUSPICIOUS_SPLIT,
        "split 0.303582, dividend 0: opened at 0.994 of the close before, 0.302 when adjusted by 0.3036",
    ) in of_generac  # fmt: skip


@needs_real_files
def test_the_faults_of_the_real_intraday_file_are_found(tmp_path: Path) -> None:
    """VIX has no volume; PPLT and UGA trade in few minutes; all intraday rows are refused as such."""
    with tarfile.open(DATA / "intraday" / "eqker_24tickers_1min_15min_daily.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    sessions = exchange_sessions(date(2017, 12, 1), date(2019, 2, 28))
    told: dict[tuple[str, Kind], str] = {}
    for path in sorted((tmp_path / "data").iterdir()):
        bars = FileSource(path, path.stem.split("_")[0]).read().bars
        checked = validate(bars, sessions, datetime(2020, 1, 1, tzinfo=UTC))
        assert set(checked.reasons) <= {INTRADAY}
        told |= {(path.stem, finding.kind): finding.detail for finding in checked.findings}
    few = "intraday bars of 1 min are there; none is stored"
    assert told["PPLT_1min", Kind.SPARSE] == f"566 of 1950 {few}"
    assert told["UGA_1min", Kind.SPARSE] == f"388 of 1950 {few}"
    assert {name for name, kind in told if kind is Kind.SPARSE} == {"PPLT_1min", "UGA_1min", "UGA_15min"}
    assert {name for name, kind in told if kind is Kind.NO_VOLUME} == {"VIX_daily"}
