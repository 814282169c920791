"""Files of minute bars: both forms, and their faults by name."""

import zipfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from riskee.errors import FatalError
from riskee.market.minute_replay import expand_minutes
from riskee.market.minutes import MINUTE, MinuteBar
from riskee.market.quotes import QuoteGate
from riskee.market.sessions import Session
from riskee.market.sources.minute_files import read_session

OPENS = datetime(2019, 2, 15, 14, 30, tzinfo=UTC)
SESSION = Session(date(2019, 2, 15), OPENS, OPENS + timedelta(hours=6.5))
HEADER = "datetime,open,high,low,close,volume"
GOOD = ["2019-02-15 16:00:00,3,4,2,3.5,10", "2019-02-15 09:32:00,2,4,1,3,20", "2019-02-15 09:31:00,1,2,1,2,30"]


def write(folder: Path, rows: list[str], ticker: str = "V") -> None:
    (folder / f"{ticker}_1min.csv").write_text("\n".join([HEADER, *rows, ""]))


def test_the_newest_row_may_come_first(tmp_path: Path) -> None:
    write(tmp_path, [*GOOD, "2019-02-14 16:00:00,9,9,9,9,9"])
    (tmp_path / "V_daily.csv").write_text("another table")
    found = read_session(tmp_path, SESSION)
    assert [bar.start for bar in found.bars["V"]] == [OPENS, OPENS + MINUTE, SESSION.closes_at - MINUTE]
    assert found.bars["V"][0] == MinuteBar(start=OPENS, open=1, high=2, low=1, close=2, volume=30)
    assert found.notes == ("V: 3 of 390 minutes", "V: the newest row comes first")
    assert found.reach_the_close(SESSION)
    assert not found.refused


def test_leans_archives(tmp_path: Path) -> None:
    folder = tmp_path / "spy"
    folder.mkdir()
    begins = 34_200_000
    rows = [
        "14400000,1674100,1674100,1672500,1672700,3197",
        f"{begins},1674000,1675000,1673000,1674500,100",
        f"{begins + 60_000},1674500,1676000,1674500,1676000,200",
        "57600000,1,1,1,1,5",
    ]
    with zipfile.ZipFile(folder / "20190215_trade.zip", "w") as archive:
        archive.writestr("20190215_spy_minute_trade.csv", "\n".join(rows))
    found = read_session(tmp_path, SESSION)
    assert found.bars == {
        "SPY": (
            MinuteBar(start=OPENS, open=167.4, high=167.5, low=167.3, close=167.45, volume=100),
            MinuteBar(start=OPENS + MINUTE, open=167.45, high=167.6, low=167.45, close=167.6, volume=200),
        )
    }
    assert not found.reach_the_close(SESSION)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2019-02-15 09:33:00,x,4,1,3,20", "could not convert"),
        ("2019-02-15 09:33:00,2,4,1,3", "not enough values"),
        ("2019-02-15 09:33:00,2,4,3,3,20", "outside of the minute's range"),
        ("2019-02-15 09:33:00,2,4,0,3,20", "not above zero"),
        ("2019-02-15 09:33:00,2,nan,1,3,20", "a number is none"),
        ("15.2.2019,2,4,1,3,20", "isoformat"),
        ("", "isoformat|range"),
    ],
)
def test_a_row_that_is_none_is_named_with_its_line(tmp_path: Path, row: str, reason: str) -> None:
    write(tmp_path, [*GOOD[1:], row])
    found = read_session(tmp_path, SESSION)
    assert len(found.bars["V"]) == 2
    (refused,) = found.refused
    assert refused.place == "V_1min.csv line 4"
    assert refused.body == row


def test_of_repeated_rows_one_counts_and_of_contradicting_ones_none(tmp_path: Path) -> None:
    write(tmp_path, [*GOOD, GOOD[2], "2019-02-15 09:32:00,2,4,1,3.5,20"])
    found = read_session(tmp_path, SESSION)
    assert [bar.start for bar in found.bars["V"]] == [OPENS, SESSION.closes_at - MINUTE]
    assert [(row.place, row.reason) for row in found.refused] == [
        ("V_1min.csv line 3", "rows contradict each other"),
        ("V_1min.csv line 6", "rows contradict each other"),
    ]


def test_an_index_without_volume_is_noted(tmp_path: Path) -> None:
    write(tmp_path, ["2019-02-15 09:31:00,1,2,1,2,0"], "VIX")
    assert "VIX: no volume at all" in read_session(tmp_path, SESSION).notes


def test_a_damaged_archive_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (tmp_path / "spy").mkdir()
    (tmp_path / "spy" / "20190215_trade.zip").write_bytes(b"no zip")
    found = read_session(tmp_path, SESSION)
    assert set(found.bars) == {"V"}
    assert "cannot be read" in found.refused[0].reason


def test_a_folder_of_something_else_is_fatal(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="RISKEE_FEED__REPLAY__MINUTES"):
        read_session(tmp_path, SESSION)


def test_minutes_become_the_running_daily_bar_and_a_final_one() -> None:
    def made(minute: int, price: float) -> MinuteBar:
        start = OPENS + minute * MINUTE
        return MinuteBar(start=start, open=price, high=price + 1, low=price - 1, close=price + 0.5, volume=10)

    bars = {"V": [made(0, 10), made(1, 20), made(389, 15)], "T": [made(1, 5)]}
    ticks = list(expand_minutes(bars, SESSION, "replay/1", {"V": 0.5}, complete=True))
    told = [(t.ticker, t.data_time, t.open, t.high, t.low, t.price, t.volume, t.final) for t in ticks]
    assert told == [
        ("V", OPENS + MINUTE, 10, 11, 9, 10.5, 10, False),
        ("T", OPENS + 2 * MINUTE, 5, 6, 4, 5.5, 10, False),
        ("V", OPENS + 2 * MINUTE, 10, 21, 9, 20.5, 20, False),
        ("V", SESSION.closes_at, 10, 21, 9, 15.5, 30, True),
        ("T", SESSION.closes_at, 5, 6, 4, 5.5, 10, True),
    ]
    gate = QuoteGate({"V", "T"}, timedelta(days=1))
    assert len([gate.admit(tick, OPENS + timedelta(days=1)) for tick in ticks]) == len(ticks)
    unfinished = list(expand_minutes(bars, SESSION, "replay/1", {}, complete=False))
    assert not any(tick.final for tick in unfinished)
