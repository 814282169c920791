"""Which bars are refused, and why; which are kept."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskee.market.bars import Bar
from riskee.market.replay import expand
from riskee.market.validation import validate
from riskee.storage.findings import Kind
from tests.unit.market.frames import NOW, SESSIONS, bars


def spoilt(column: str, value: Any) -> pd.DataFrame:
    """Four good bars, but for one value of the second."""
    frame = bars()
    if column == "session":
        value = pd.Timestamp(value)
    frame.loc[1, column] = value
    return frame


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("ticker", "aapl", "malformed ticker"),
        ("ticker", "A; DROP TABLE", "malformed ticker"),
        ("ticker", None, "malformed ticker"),
        ("ticker", "AAPL\n", "malformed ticker"),
        ("session", pd.NaT, "date cannot be read: write it as 2012-01-31"),
        ("session", "2012-07-03T09:30", "has a time of day: not a daily bar"),
        ("session", "2012-07-04", "no trading session on this date"),
        ("session", "2012-07-07", "no trading session on this date"),
        ("session", "1792-05-17", "no trading session on this date"),
        ("session", "2112-07-05", "date in the future"),
        ("open", np.nan, "open is not a number"),
        ("high", np.inf, "high is not a number"),
        ("close", 0.0, "close is not positive"),
        ("low", -1.0, "low is not positive"),
        ("low", 12.0, "high is below low"),
        ("open", 11.5, "open is outside of low and high"),
        ("close", 8.9, "close is outside of low and high"),
        ("volume", -1.0, "volume is negative"),
        ("volume", np.nan, "volume is not a number"),
        ("dividend", -0.1, "dividend is negative"),
        ("split", 0.0, "split is not a positive number"),
        ("adjustment_factor", np.nan, "adjustment_factor is not a positive number"),
        ("adjustment_factor", 0.0, "adjustment_factor is not a positive number"),
    ],
)
def test_a_spoilt_bar_is_refused_with_its_reason_and_the_others_are_kept(column: str, value: Any, reason: str) -> None:
    checked = validate(spoilt(column, value), SESSIONS, NOW)
    assert checked.reasons.to_dict() == {1: reason}
    assert sorted(checked.accepted.index) == [0, 2, 3]


def test_good_bars_are_known_when_their_session_closes() -> None:
    checked = validate(bars(), SESSIONS, NOW)
    assert checked.reasons.empty
    assert [moment.to_pydatetime() for moment in checked.accepted["known_at"]] == [s.closes_at for s in SESSIONS]


def test_a_session_under_way_has_no_bar_yet() -> None:
    checked = validate(bars(), SESSIONS, datetime(2012, 7, 6, 19, 59, tzinfo=UTC))
    assert checked.reasons.to_dict() == {3: "session not over yet"}


def test_rounding_is_no_fault() -> None:
    assert validate(bars(high=10.5, close=10.5 * (1 + 1e-9)), SESSIONS, NOW).reasons.empty


@pytest.mark.parametrize(
    "spoilt", [{"high": 10.5, "close": 10.5 * (1 + 1e-9)}, {"low": 10.0, "open": 10.0 * (1 - 1e-9)}]
)
def test_a_bar_that_is_off_by_rounding_can_be_replayed(spoilt: dict[str, float]) -> None:
    checked = validate(bars().assign(**spoilt), SESSIONS, NOW)
    columns = ["ticker", "open", "high", "low", "close", "volume", "adjustment_factor"]
    ticker, *numbers = checked.accepted.iloc[0][columns]
    quotes = expand(Bar(ticker, SESSIONS[0].session_date, *numbers), SESSIONS[0], "replay/1")
    assert (quotes[0].price, quotes[-1].price) == (checked.accepted.iloc[0]["open"], checked.accepted.iloc[0]["close"])


def test_of_equal_rows_one_stays_and_of_contradicting_rows_none() -> None:
    frame = bars().iloc[[0, 0, 1, 1, 1, 2, 2, 2, 2]].reset_index(drop=True)
    frame.loc[[4, 7, 8], "close"] = 10.6
    checked = validate(frame, SESSIONS, NOW)
    contradiction = "contradicts another row of the same ticker and date"
    assert checked.reasons.to_dict() == {1: "duplicate", **dict.fromkeys(range(2, 9), contradiction)}
    assert list(checked.accepted.index) == [0]


def test_a_refused_row_is_no_duplicate_of_a_good_one() -> None:
    frame = bars().iloc[[0, 0]].reset_index(drop=True)
    frame.loc[0, "close"] = -1.0
    assert validate(frame, SESSIONS, NOW).reasons.to_dict() == {0: "close is not positive"}


def test_odd_bars_are_kept_and_found() -> None:
    frame = bars(("AAPL", "IBM"))
    frame.loc[[4, 5, 6, 7], ["open", "high", "low", "close"]] *= 100  # another ticker: no jump
    frame.loc[1, "volume"] = 0.0
    frame.loc[2, ["open", "high", "low", "close"]] *= 3
    checked = validate(frame, SESSIONS, NOW)
    assert checked.reasons.empty
    assert [(finding.ticker, finding.session.day, finding.kind) for finding in checked.findings] == [
        ("AAPL", 5, Kind.PRICE_SPIKE), ("AAPL", 3, Kind.ZERO_VOLUME),
    ]  # fmt: skip


def test_a_split_is_no_jump() -> None:
    frame = bars()
    frame.loc[[2, 3], ["open", "high", "low", "close"]] /= 7
    frame.loc[[2, 3], "adjustment_factor"] *= 7
    assert validate(frame, SESSIONS, NOW).findings == ()


def test_accepted_bars_are_ordered() -> None:
    checked = validate(bars(("IBM", "AAPL")).iloc[::-1], SESSIONS, NOW)
    keys = list(zip(checked.accepted["ticker"], checked.accepted["session"], strict=True))
    assert keys == sorted(keys)


def test_nothing_at_all() -> None:
    checked = validate(bars().iloc[:0], [], NOW)
    assert (len(checked.accepted), len(checked.reasons)) == (0, 0)


numbers = st.one_of(
    st.floats(), st.sampled_from([0.0, -1.0, 10.0, 10.0, 10.5, 9.0, 11.0, float("nan"), float("inf"), 1e-320, 1e308])
)
rows = st.fixed_dictionaries(
    {
        "ticker": st.sampled_from(["AAPL", "IBM", "BRK.B", "", "aapl", "TOOLONGTOBEATICKERATALL", None]),
        "session": st.sampled_from(
            [*(pd.Timestamp(session.session_date) for session in SESSIONS), pd.Timestamp("2012-07-04"), pd.NaT]
        ),
        **dict.fromkeys(("open", "high", "low", "close", "volume", "adjustment_factor", "dividend", "split"), numbers),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(rows, min_size=1, max_size=8))
def test_every_row_is_either_accepted_and_sane_or_refused_with_a_reason(drawn: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame(drawn).astype({"session": "datetime64[us]", "ticker": "str"})
    checked = validate(frame, SESSIONS, NOW)
    accepted = checked.accepted
    assert sorted([*accepted.index, *checked.reasons.index]) == list(frame.index)
    assert not accepted.duplicated(["ticker", "session"]).any()
    assert set(accepted["ticker"]) <= {"AAPL", "IBM", "BRK.B"}
    prices = accepted[["open", "high", "low", "close", "adjustment_factor", "split"]].to_numpy()
    assert np.isfinite(prices).all()
    assert (prices > 0).all()
    assert (accepted["high"] >= accepted[["open", "close", "low"]].max(axis=1)).all()
    assert (accepted["low"] <= accepted[["open", "close", "high"]].min(axis=1)).all()
    assert (accepted["volume"] >= 0).all()
    assert accepted["known_at"].notna().all()
