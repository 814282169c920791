"""The made-up market of the fault tests, and its sessions told as quotes at any pace."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import Connection, insert

from riskee.ids import quote_id
from riskee.market.bars import Bar
from riskee.market.replay import feed_name
from riskee.market.sessions import Session
from riskee.messaging.messages import MODEL_TYPES, Quote
from riskee.storage.sessions import write_sessions
from riskee.storage.tables import market_data
from riskee.storage.tickers import TickerInfo, write_tickers
from tests.integration.live_data import MARKET, made_bars, made_model, made_sessions, market_row, promote

FEED = feed_name(1)
TICKERS = tuple(f"T{number:02}" for number in range(20))
SESSIONS = 420
# From here on the longest window is full.
FIRST_PLAYED = 260


@dataclass(frozen=True)
class FaultMarket:
    """What the database was filled with; the sessions from FIRST_PLAYED on are told."""

    sessions: tuple[Session, ...]
    # By session and ticker, the market first.
    bars: tuple[tuple[Bar, ...], ...]

    def rounds(self, seed: int, per_session: int) -> Iterator[list[Quote]]:
        """All quotes of one moment after the other, the market's first; `received_at` is yet to be set.

        A session's last round tells its stored bars exactly, so that a state which followed the quotes equals one
        which was read from the database.
        """
        rng = np.random.default_rng(seed)
        for session, bars in zip(self.sessions[FIRST_PLAYED:], self.bars[FIRST_PLAYED:], strict=True):
            told = [_tell(bar, session, per_session, rng) for bar in bars]
            yield from map(list, zip(*told, strict=True))


def fill(connection: Connection) -> FaultMarket:
    """Put the market and a champion of each type into a migrated, empty database."""
    sessions = made_sessions(SESSIONS)
    names = (MARKET, *TICKERS)
    write_tickers(connection, [TickerInfo(name, name, name == MARKET, "made") for name in names])
    write_sessions(connection, made_sessions(SESSIONS + 20))
    bars = [made_bars(name, sessions, seed) for seed, name in enumerate(names)]
    connection.execute(insert(market_data), [market_row(bar) for bar in itertools.chain(*bars)])
    for model_type in MODEL_TYPES:
        promote(connection, made_model(model_type))
    return FaultMarket(sessions, tuple(zip(*bars, strict=True)))


def _tell(bar: Bar, session: Session, count: int, rng: np.random.Generator) -> list[Quote]:
    """A session of one ticker as `count` quotes: any path from open to close that touches high and low."""
    prices = rng.uniform(bar.low, bar.high, count)
    low_at, high_at = rng.permutation(np.arange(1, count - 1))[:2]
    prices[[0, low_at, high_at, -1]] = bar.open, bar.low, bar.high, bar.close
    highs, lows = np.maximum.accumulate(prices).tolist(), np.minimum.accumulate(prices).tolist()
    length = session.closes_at - session.opens_at
    return [
        _quote(bar, session.opens_at + length * place / (count - 1), place, (price, high, low), (place + 1) / count)
        for place, (price, high, low) in enumerate(zip(prices.tolist(), highs, lows, strict=True))
    ]


def _quote(bar: Bar, at: datetime, place: int, prices: tuple[float, float, float], share: float) -> Quote:
    price, high, low = prices
    return Quote(
        quote_id=quote_id(FEED, bar.ticker, at, place),
        feed=FEED,
        ticker=bar.ticker,
        data_time=at,
        received_at=at,
        session_date=bar.session,
        sequence=place,
        price=price,
        open=bar.open,
        high=high,
        low=low,
        volume=bar.volume * share,
        adjustment_factor=bar.factor,
        final=share == 1,
    )
