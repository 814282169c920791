"""How much the owner of a unit takes at once: of 5,000 tickers too the latest quotes win when it falls behind."""

import uuid
from datetime import timedelta

import msgspec
import pytest

from infra.sizing.measured import TICKERS
from riskee.messaging.messages import Quote
from serving.consumers import workload
from serving.consumers.partitions import divided, undivided
from serving.consumers.predict import Predict
from serving.consumers.waves import Waves
from tests.integration.live_data import MARKET
from tests.unit.messaging.samples import QUOTE
from tests.unit.serving.test_predict import FakeKnowledge, FakePublisher, made_predict

ROUNDS = 8


@pytest.fixture
def predict() -> Predict:
    return made_predict(FakeKnowledge(), FakePublisher())


def rounds(tickers: int) -> list[Quote]:
    """What waits where each ticker's quote has come so many times: one after the other, round by round."""
    each = timedelta(seconds=1) / tickers
    return [
        msgspec.structs.replace(
            QUOTE,
            quote_id=uuid.UUID(int=number),
            ticker=f"T{number % tickers:04}",
            sequence=number // tickers,
            data_time=QUOTE.data_time + number * each,
            received_at=QUOTE.received_at + number * each,
        )
        for number in range(ROUNDS * tickers)
    ]


@pytest.mark.parametrize("tickers", [100, TICKERS])
def test_of_what_waits_a_good_part_is_overtaken_however_many_tickers_there_are(predict: Predict, tickers: int) -> None:
    """Who is sent more than it can predict would fall behind without end, were every quote predicted."""
    quotes, *_ = workload.consumptions(undivided(1), predict)
    waiting, waves, predicted = rounds(tickers), Waves(MARKET), 0
    for start in range(0, len(waiting), quotes.max_batch):
        for wave in waves.split(waiting[start : start + quotes.max_batch]):
            waves.took(wave)
            predicted += len(wave)
    assert predicted < len(waiting) * 2 / 3
    assert [*waves.latest.values()] == waiting[-tickers:]


def test_while_a_whole_batch_is_worked_on_the_next_one_comes(predict: Predict) -> None:
    for unit in (undivided(1), *divided(2)):
        quotes, *_ = workload.consumptions(unit, predict)
        assert quotes.durable.max_pending == 2 * quotes.max_batch
