"""Files of minute bars in the forms that are found in the wild, made from daily bars."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from riskee.market.sessions import Session
from tests.integration.live_data import Market

NEW_YORK = ZoneInfo("America/New_York")
MINUTE = timedelta(minutes=1)
Row = tuple[str, datetime, float, float, float, float, float]


def made_minutes(market: Market, ticker: str, session: Session, minutes: int) -> list[Row]:
    """The first `minutes - 1` minutes of a session and its last: (ticker, end, open, high, low, close, volume). They go
    from the day's open to its close, and are a part of its volume."""
    bar = market.bar(ticker, session.session_date)
    ends = [session.opens_at + MINUTE * (n + 1) for n in range(minutes - 1)] + [session.closes_at]
    prices = [round(bar.open + (bar.close - bar.open) * n / minutes, 4) for n in range(minutes + 1)]
    return [
        (ticker, end, before, max(before, after), min(before, after), after, 100.0 * (n + 1))
        for n, (end, before, after) in enumerate(zip(ends, prices[:-1], prices[1:], strict=True))
    ]


def write_minutes(folder: Path, market: Market, sessions: Sequence[Session], minutes: int) -> list[Row]:
    """A file for each ticker, its newest row first; the last ticker is not traded in the last minute. All rows."""
    folder.mkdir(exist_ok=True)
    tickers = sorted({bar.ticker for bar in market.bars})
    told: list[Row] = []
    for ticker in tickers:
        rows = [row for session in sessions for row in made_minutes(market, ticker, session, minutes)]
        if ticker == "MSFT":
            closes = {session.closes_at for session in sessions}
            rows = [row for row in rows if row[1] not in closes]
        lines = [f"{row[1].astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S},{','.join(map(repr, row[2:]))}" for row in rows]
        text = "\n".join(["datetime,open,high,low,close,volume", *reversed(lines), ""])
        (folder / f"{ticker}_1min.csv").write_text(text)
        told += rows
    return told
