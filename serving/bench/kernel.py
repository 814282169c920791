"""What predict computes, measured alone: made-up bars, quotes and models, no server. `python -m serving.bench.kernel`.

CPU time of one core, medians. A wave is what predict does between decoding and publishing with as many quotes as it
takes at once: their order, the update, features, one model call for each type, and the finished predictions.
"""

import statistics
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from time import process_time

import msgspec
import numpy as np

from riskee.features.definitions import WARM_UP_BARS
from riskee.features.earnings import EarningsFeatures
from riskee.features.kernel import FeatureState
from riskee.ids import quote_id
from riskee.market.bars import BarMatrix, Dates, Floats
from riskee.market.reports import Reports
from riskee.messaging.messages import MODEL_TYPES, ModelType, Quote
from riskee.model.booster import lightgbm
from riskee.model.predictor import Predictor
from serving.bench.market import LEAVES, TREES, made_model
from serving.bench.plan import BASE_PRICE, MARKET, ticker_name
from serving.consumers.forecasting import Forecaster
from serving.consumers.predict import LARGEST_WAVE
from serving.consumers.waves import Waves

SIZES = (100, 1_000, 5_000)
_REPEATS = 15
_FIRST_DAY = date(2020, 1, 6)
_QUARTER = 63


class Timing(msgspec.Struct, frozen=True):
    """What one step costs for so many tickers at once, in milliseconds; and for one of them, in microseconds."""

    step: str
    tickers: int
    milliseconds: float
    microseconds_each: float


def _timing(step: str, tickers: int, action: Callable[[], object]) -> Timing:
    action()
    taken = []
    for _ in range(_REPEATS):
        began = process_time()
        action()
        taken.append(process_time() - began)
    seconds = statistics.median(taken)
    return Timing(step, tickers, seconds * 1e3, seconds / tickers * 1e6)


class Bench:
    """A market of `tickers` and a forecaster that knows it; its sessions are played one after the other."""

    def __init__(self, tickers: int) -> None:
        self.tickers = tickers
        self._days: Dates = np.busday_offset(np.datetime64(_FIRST_DAY), np.arange(WARM_UP_BARS + 10 * _REPEATS))
        self._place = WARM_UP_BARS
        rng = np.random.default_rng(2)
        self._bars = [_running(rng, tickers) for _ in range(_REPEATS)]
        self.everyone = np.arange(1, tickers + 1)
        state = FeatureState(_bars(tickers, self._days[:WARM_UP_BARS]), MARKET)
        reports = {name: _reports(number, self._days) for number, name in enumerate(state.tickers[1:])}
        earnings = EarningsFeatures(reports, self._days, state)
        self._inputs = np.hstack([state.features(self.everyone), earnings.features(self.everyone, self._days[511])])
        self.forecaster = Forecaster(
            state=state,
            earnings=earnings,
            sessions=self._days,
            unreported=frozenset(),
            market_ticker=MARKET,
            predictors={kind: self.model(kind) for kind in MODEL_TYPES},
        )

    def model(self, kind: ModelType, trees: int = TREES, leaves: int = LEAVES) -> Predictor:
        """A model that learned noise from features like those it is asked about, so that all its leaves are in use."""
        rng, artifact = np.random.default_rng(1), made_model(kind, _FIRST_DAY, 1, 2)
        chosen = rng.integers(len(self._inputs), size=20_000)
        features = self._inputs[chosen, : len(artifact.features)]
        inputs = features * rng.normal(1, 0.3, features.shape)
        parameters = {"num_leaves": leaves, "verbosity": -1, "num_threads": 1, "seed": 1}
        data = lightgbm.Dataset(inputs, rng.normal(0, 0.1, len(chosen)))
        booster = lightgbm.train(parameters, data, trees).model_to_string()
        return Predictor(msgspec.structs.replace(artifact, booster=booster))

    @property
    def day(self) -> np.datetime64:
        day: np.datetime64 = self._days[self._place]
        return day

    def update(self) -> None:
        """Running bars of all."""
        bar = self._bars[self._place % len(self._bars)]
        self.forecaster.state.update(self.everyone, self.day, *bar)

    def first_update(self) -> None:
        """The same in the next session: it closes the bars of the one before."""
        self._place += 1
        self.update()

    def quotes(self, count: int) -> list[Quote]:
        """A quote of each ticker, the market's first."""
        days = int((self.day - np.datetime64("2000-01-01")).astype(int))
        at = datetime(2000, 1, 1, 15, tzinfo=UTC) + timedelta(days=days)
        prices = np.random.default_rng(3).normal(BASE_PRICE, 1, count + 1).tolist()
        names = self.forecaster.state.tickers[: count + 1]
        return [_quote(name, at, price) for name, price in zip(names, prices, strict=True)]

    def waves(self, quotes: list[Quote]) -> Callable[[], None]:
        """What predict computes of a batch: finished predictions, in waves as large as it makes them."""
        waves = Waves(MARKET)

        def predict() -> None:
            for wave in waves.split(quotes):
                for start in range(0, len(wave), LARGEST_WAVE):
                    part = wave[start : start + LARGEST_WAVE]
                    self.forecaster.take(part)
                    waves.took(part)
                    self.forecaster.forecast(part, quotes[0].received_at)

        return predict


def _bars(tickers: int, days: Dates) -> BarMatrix:
    rng = np.random.default_rng(1)
    shape = (tickers + 1, len(days))
    close: Floats = BASE_PRICE * np.exp(np.cumsum(rng.normal(0, 0.015, shape), axis=1))
    names = (MARKET, *map(ticker_name, range(tickers)))
    sessions = np.broadcast_to(days, shape)
    return BarMatrix(
        names, sessions, close, close * 1.01, close * 0.99, close, rng.uniform(1e6, 5e6, shape), close / close
    )


def _reports(number: int, days: Dates) -> Reports:
    reported = days[number % _QUARTER :: _QUARTER]
    known = np.full(len(reported), days[0], "datetime64[us]")
    return Reports(reported, known, np.ones(len(reported)), np.full(len(reported), 1.1))


def _running(rng: np.random.Generator, count: int) -> tuple[Floats, ...]:
    """Running bars: open, high, low, close, volume, factor."""
    close: Floats = BASE_PRICE * np.exp(rng.normal(0, 0.015, count))
    return close, close * 1.01, close * 0.99, close, rng.uniform(1e6, 5e6, count), np.ones(count)


def _quote(ticker: str, at: datetime, price: float) -> Quote:
    return Quote(
        quote_id=quote_id("bench", ticker, at, 0),
        feed="bench",
        ticker=ticker,
        data_time=at,
        received_at=at,
        session_date=at.date(),
        sequence=0,
        price=price,
        open=price,
        high=price,
        low=price,
        volume=1e6,
    )


def measure(tickers: int) -> Iterator[Timing]:
    """The steps, then whole waves, of a market of so many tickers."""
    bench = Bench(tickers)
    state, earnings = bench.forecaster.state, bench.forecaster.earnings
    yield _timing("close the bars of a session", tickers, bench.first_update)
    yield _timing("update running bars", tickers, bench.update)
    yield _timing("technical features", tickers, lambda: state.features(bench.everyone))
    yield _timing("earnings features, within a session", tickers, lambda: earnings.features(bench.everyone, bench.day))
    features, price = state.features(bench.everyone), np.full(tickers, BASE_PRICE)
    for trees, leaves in ((TREES, LEAVES), (300, 31)):
        predictor = bench.model("normal", trees, leaves)
        step = f"model of {trees} trees of {leaves} leaves, intervals, P(up)"
        yield _timing(step, tickers, lambda predictor=predictor: predictor.predict(features, price))  # type: ignore[misc]
    yield _timing("finished predictions", tickers, bench.waves(bench.quotes(tickers)))
    if tickers > LARGEST_WAVE:
        yield _timing("wave of the largest size", LARGEST_WAVE, bench.waves(bench.quotes(LARGEST_WAVE)))


def main() -> None:
    """Print a table."""
    sys.stdout.write(f"{'step':52} {'tickers':>8} {'ms':>9} {'us each':>9}\n")
    for tickers in SIZES:
        for timing in measure(tickers):
            numbers = f"{timing.tickers:8,} {timing.milliseconds:9.3f} {timing.microseconds_each:9.3f}"
            sys.stdout.write(f"{timing.step:52} {numbers}\n")


if __name__ == "__main__":
    main()
