"""Units of work: whatever the number of partitions, a ticker's quotes and jobs are for exactly one."""

from hypothesis import given
from hypothesis import strategies as st

from riskee.messaging.messages import TICKER_PATTERN
from riskee.messaging.slots import SLOTS, quote_subject, slot_of
from serving.consumers.partitions import Unit, divided, undivided

MARKET = "SPX"
tickers = st.from_regex(TICKER_PATTERN, fullmatch=True).filter(lambda ticker: ticker != MARKET)
counts = st.integers(1, SLOTS)


def units(partitions: int) -> list[Unit]:
    return [undivided(partitions), *divided(partitions)]


@given(tickers, counts)
def test_one_unit_has_the_quotes_and_the_jobs_of_a_ticker(ticker: str, partitions: int) -> None:
    subject = quote_subject(ticker, partitions, MARKET)
    (answering,) = (unit for unit in units(partitions) if unit.answers and unit.owns(ticker))
    assert subject in answering.subjects
    assert slot_of(ticker) in answering.slots


@given(counts)
def test_the_slots_are_divided_without_rest(partitions: int) -> None:
    assert sorted(slot for unit in units(partitions) for slot in unit.slots) == list(range(SLOTS))


def test_alone_the_durables_have_the_names_they_always_had() -> None:
    assert undivided(1).durable("predict-quotes") == "predict-quotes"
    assert undivided(1).answers


def test_a_durable_of_a_partition_tells_the_number_of_partitions() -> None:
    """Its subjects depend on it: the same name with other subjects would lose a backlog."""
    assert [unit.durable("predict-quotes") for unit in divided(2)] == ["predict-quotes-0-of-2", "predict-quotes-1-of-2"]


def test_what_is_published_undivided_is_read_beside_the_partitions() -> None:
    assert undivided(4).subjects == ("data.market.quote",)
    assert not undivided(4).answers
    assert undivided(4).owns("IBM")
