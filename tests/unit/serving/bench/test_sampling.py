"""Asking for the predictions of some quotes."""

import asyncio
import time
from collections.abc import Mapping, Sequence

import pytest

from riskee.errors import RetryableError
from serving.bench.latency import carried
from serving.bench.loads import WARM_UP_SECONDS
from serving.bench.options import Options
from serving.bench.plan import ticker_name
from serving.bench.sampling import SAMPLES, Sampler, samples
from tests.unit.serving.bench.test_latency import plan


def test_samples_come_round_to_all_tickers() -> None:
    found = samples(plan(10, 1000, 20_000), 50)
    assert {number for number, _ in found} == set(range(10))
    assert [due for _, due in found] == sorted(due for _, due in found)
    assert len(found) <= 20 * 50


@pytest.mark.parametrize("rate", Options().rates)
@pytest.mark.parametrize("tickers", Options().tickers)
def test_the_repeats_of_a_load_sample_enough_for_a_p99(tickers: int, rate: int) -> None:
    options = Options()
    load = plan(tickers, rate, int(rate * (WARM_UP_SECONDS + options.seconds)))
    counted = [due for _, due in samples(load, SAMPLES) if due >= load.start + WARM_UP_SECONDS]
    assert carried(options.product_repeats * len(counted), 99)


async def test_it_asks_until_the_prediction_of_the_quote_or_a_later_one_is_there() -> None:
    due = time.time()
    answers = iter([{}, {ticker_name(3): due - 1}, None, {ticker_name(3): due + 0.5}])

    async def look(tickers: Sequence[str]) -> Mapping[str, float]:
        assert tickers == [ticker_name(3)]
        answer = next(answers)
        if answer is None:
            raise RetryableError("no answer in time", "it is asked again")
        return answer

    sampler = Sampler(look, 0.001, [(3, due)])
    await asyncio.wait_for(sampler.run(), 60)
    ((number, moment, at),) = sampler.found
    assert (number, moment) == (3, due)
    assert at >= due
    assert (sampler.waiting, sampler.left) == ({}, 0)
    assert next(answers, "all asked") == "all asked"


async def test_a_ticker_that_still_waits_hides_no_later_quote() -> None:
    due = time.time() - 1
    answers = iter([{}, {ticker_name(3): due}, {ticker_name(3): due + 0.2}])

    async def look(_tickers: Sequence[str]) -> Mapping[str, float]:
        return next(answers)

    sampler = Sampler(look, 0.001, [(3, due), (3, due + 0.1), (3, due + 0.2)])
    await asyncio.wait_for(sampler.run(), 60)
    assert [moment for _, moment, _ in sampler.found] == [due, due + 0.1, due + 0.2]
    assert sampler.found[0][2] < sampler.found[1][2] == sampler.found[2][2]
