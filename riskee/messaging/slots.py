"""The slot of a ticker: how the work on quotes is divided among several predictors (docs/adr/0092).

A quote travels on `data.market.quote`, or on `data.market.quote.<slot>` where the work is divided. The slot depends on
the ticker alone, so it stays when the number of partitions changes: only then is a backlog read by whoever comes next.
The market's own quotes have a slot of their own, because every partition's features need them.
"""

from zlib import crc32

from riskee.messaging.subjects import QUOTE

SLOTS = 32
ALL_SLOTS = f"{QUOTE.name}.*"
_MARKET = f"{QUOTE.name}.market"


def slot_of(ticker: str) -> int:
    """The slot of a ticker, 0 to 31, in every process and for ever."""
    return crc32(ticker.encode()) % SLOTS


def partition_of(ticker: str, partitions: int) -> int:
    """Which of so many partitions, counted from 0, predicts a ticker."""
    return slot_of(ticker) % partitions


def quote_subject(ticker: str, partitions: int, market_ticker: str) -> str:
    """The subject on which a ticker's quotes are published; undivided they keep the plain one."""
    if partitions == 1:
        return QUOTE.name
    return _MARKET if ticker == market_ticker else f"{QUOTE.name}.{slot_of(ticker)}"


def partition_subjects(partition: int, partitions: int) -> tuple[str, ...]:
    """What a partition reads: the slots of its tickers, and the market's."""
    if partitions == 1:
        return (ALL_SLOTS,)
    return (_MARKET, *(f"{QUOTE.name}.{slot}" for slot in range(partition, SLOTS, partitions)))
