"""Slots: the same for ever, each ticker in one partition, the market's quotes in all."""

import string
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskee.messaging.messages import TICKER_PATTERN
from riskee.messaging.slots import ALL_SLOTS, SLOTS, partition_of, partition_subjects, quote_subject, slot_of
from riskee.messaging.streams import stream_of

MADE = ["".join(letters) for letters in product(string.ascii_uppercase, repeat=3)]
tickers = st.from_regex(TICKER_PATTERN, fullmatch=True)
counts = st.integers(1, SLOTS)


@pytest.mark.parametrize(("ticker", "slot"), [("AAPL", 28), ("BRK.B", 12), ("IBM", 23), ("MSFT", 27), ("SPX", 9)])
def test_a_slot_never_changes(ticker: str, slot: int) -> None:
    """Quotes of a backlog are already on these subjects."""
    assert slot_of(ticker) == slot


@given(tickers, counts)
def test_a_ticker_is_read_by_exactly_one_partition(ticker: str, partitions: int) -> None:
    subject = f"data.market.quote.{slot_of(ticker)}"
    readers = [
        partition
        for partition in range(partitions)
        if {subject, ALL_SLOTS} & set(partition_subjects(partition, partitions))
    ]
    assert readers == [partition_of(ticker, partitions)]


@given(st.integers(2, SLOTS))
def test_every_partition_reads_the_market(partitions: int) -> None:
    subject = quote_subject("SPX", partitions, "SPX")
    assert all(subject in partition_subjects(partition, partitions) for partition in range(partitions))


@given(tickers.filter(lambda ticker: ticker != "SPX"), st.integers(2, SLOTS), st.integers(2, SLOTS))
def test_the_subject_does_not_depend_on_the_number_of_partitions(ticker: str, before: int, after: int) -> None:
    """Else a backlog would be lost when the number changes."""
    assert quote_subject(ticker, before, "SPX") == quote_subject(ticker, after, "SPX")


@pytest.mark.parametrize("ticker", ["IBM", "SPX"])
def test_undivided_all_is_published_as_ever(ticker: str) -> None:
    assert quote_subject(ticker, 1, "SPX") == "data.market.quote"


@pytest.mark.parametrize("ticker", ["IBM", "SPX"])
def test_the_stream_keeps_what_is_divided(ticker: str) -> None:
    assert stream_of(quote_subject(ticker, 4, "SPX")).name == "MARKET_DATA"


@pytest.mark.parametrize("partitions", [2, 4, 8])
def test_the_work_is_divided_evenly(partitions: int) -> None:
    mean = len(MADE) / partitions
    sizes = [0] * partitions
    for ticker in MADE:
        sizes[partition_of(ticker, partitions)] += 1
    assert max(sizes) < 1.1 * mean
