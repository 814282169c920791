"""The last daily bars of many tickers, read as matrices. Millions of bars: they never become Python objects."""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time

import numpy as np
from psycopg import sql
from sqlalchemy import Connection, text

from riskee.market.bars import BarMatrix
from riskee.storage.arrays import read_arrays

# Tickers to read at a time: what waits to be put into the matrix stays small.
CHUNK = 250

# Not from the view: this walks the key backwards and stops after `count` bars. A row a ticker, for the driver takes
# rows one by one.
_RECENT = sql.SQL("""
    SELECT CAST(wanted.number AS float8), bars.*
    FROM unnest(CAST({tickers} AS text[])) WITH ORDINALITY AS wanted (ticker, number)
    CROSS JOIN LATERAL (
        SELECT
            array_agg(day), array_agg(open), array_agg(high), array_agg(low), array_agg(close), array_agg(volume),
            array_agg(adjustment_factor)
        FROM (
            SELECT DISTINCT ON ("timestamp")
                CAST(CAST("timestamp" AT TIME ZONE 'UTC' AS date) - DATE '1970-01-01' AS float8) AS day,
                open, high, low, close, volume, adjustment_factor
            FROM market_data
            WHERE ticker = wanted.ticker AND resolution = '1d' AND "timestamp" < {before}
                AND recorded_at <= COALESCE(CAST({stored} AS timestamptz), 'infinity')
            ORDER BY "timestamp" DESC, version DESC
            LIMIT {count}
        ) AS bar
        HAVING count(*) > 0
    ) AS bars
""")
_COLUMNS = 7


def known_tickers(connection: Connection, only: Collection[str] | None = None) -> tuple[str, ...]:
    """The tickers of the database, or those among `only`, in the order of their bytes."""
    known = connection.scalars(text('SELECT ticker FROM tickers ORDER BY ticker COLLATE "C"'))
    return tuple(ticker for ticker in known if only is None or ticker in only)


def recent_bars(
    connection: Connection,
    before: date,
    count: int,
    *,
    only: Collection[str] | None = None,
    stored: datetime | None = None,
) -> BarMatrix:
    """The last `count` daily bars of every ticker, the market's included, of sessions before `before`.

    With `only`, of these tickers; with `stored`, in the versions that were recorded by then. A ticker without bars has
    a row of NaN. Tickers are in the order of their bytes.
    """
    return bars_of(connection, known_tickers(connection, only), before, count, stored)


def bars_of(
    connection: Connection, tickers: Sequence[str], before: date, count: int, stored: datetime | None = None
) -> BarMatrix:
    """As `recent_bars`, of these tickers in this order."""
    filled = np.full((_COLUMNS, len(tickers), count), np.nan)
    for first in range(0, len(tickers), CHUNK):
        query = _RECENT.format(
            tickers=sql.Literal(list(tickers[first : first + CHUNK])),
            before=sql.Literal(datetime.combine(before, time(), UTC)),
            stored=sql.Literal(stored),
            count=sql.Literal(count),
        )
        for number, bars in read_arrays(connection, query, _COLUMNS):
            filled[:, first + number - 1, -bars.shape[1] :] = bars[:, np.argsort(bars[0])]
    day = filled[0]
    session = np.where(np.isnan(day), np.datetime64("NaT", "D"), np.nan_to_num(day).astype("datetime64[D]"))
    return BarMatrix(tuple(tickers), session, *filled[1:])
