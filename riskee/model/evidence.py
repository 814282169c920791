"""All that an evaluation found out, as one tree of plain values: it is stored with the model and makes its report."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from riskee.market.bars import Floats
from riskee.model.dataset import TrainingSet
from riskee.model.evaluation import (
    Forecast,
    Measures,
    Numbers,
    Outcomes,
    daily_correlations,
    equal_bins,
    hit_rate,
    log_losses,
    measure,
    pooled_ic,
    series_mean,
)
from riskee.model.importance import Importance
from riskee.model.regimes import regimes
from riskee.model.uncertainty import Estimate
from riskee.model.walk_forward import Mask

MODEL = "model"
EPOCH = date(1970, 1, 1)
# A ticker or year with fewer rows says nothing of its own.
LEAST_ROWS = 20


@dataclass(frozen=True)
class Span:
    """A stretch of sessions, and how each method did there."""

    first: date
    last: date
    methods: dict[str, Measures]


@dataclass(frozen=True)
class Holdout:
    """What the registered model did in sessions that nothing before its decision had looked at.

    `opened` counts the models of its type, this one included, that were scored on sessions of this stretch.
    """

    first: date
    last: date
    opened: int
    methods: dict[str, Measures]


@dataclass(frozen=True)
class TickerScore:
    """How one method did on one ticker."""

    rows: int
    ic: float | None
    hit_rate: float | None
    log_loss: float
    mae_skill: float
    coverage_80: float


@dataclass(frozen=True)
class DailyIc:
    """The model's correlation with the outcomes of each session that has enough tickers, in the order of time."""

    session: tuple[date, ...]
    ic: tuple[float, ...]
    rank_ic: tuple[float, ...]


@dataclass(frozen=True)
class Bin:
    """Rows of nearly equal probability: the mean of what was said, and the share that rose."""

    rows: int
    said: float
    rose: Estimate


@dataclass(frozen=True)
class Evaluation:
    """Measures by method (`model` and its baselines) and by regime, year and ticker; the rest is the model's alone."""

    walk_forward: Span
    regimes: dict[str, dict[str, Measures]]
    years: dict[str, dict[str, Measures]]
    tickers: dict[str, dict[str, TickerScore]]
    daily_ic: DailyIc
    reliability: tuple[Bin, ...]
    importance: tuple[Importance, ...]
    holdout: Holdout | None = None


def outcomes(data: TrainingSet) -> Outcomes:
    """What came of the rows."""
    return Outcomes(data.outcome, data.scale, data.session.astype("datetime64[D]").astype(np.int64))


def day_of(number: int) -> date:
    """The date that is so many days after EPOCH."""
    return EPOCH + timedelta(days=number)


def evaluate(
    data: TrainingSet, tested: Mask, forecasts: Mapping[str, Forecast], importance: tuple[Importance, ...]
) -> Evaluation:
    """Measure the forecasts of the tested rows, by name, MODEL among them."""
    made = outcomes(data).at(tested)
    year = made.session.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + EPOCH.year
    by_year = {str(one): year == one for one in np.unique(year)}
    return Evaluation(
        walk_forward=span(made, forecasts),
        regimes=_parts(made, forecasts, regimes(data, tested)),
        years=_parts(made, forecasts, by_year),
        tickers=_tickers(made, forecasts, data.tickers, data.ticker[tested]),
        daily_ic=_daily(forecasts[MODEL], made),
        reliability=reliability(forecasts[MODEL].p_up, made),
        importance=importance,
    )


def span(made: Outcomes, forecasts: Mapping[str, Forecast]) -> Span:
    """Measures of all methods on all of the rows."""
    measures = {name: measure(forecast, made) for name, forecast in forecasts.items()}
    return Span(day_of(int(made.session.min())), day_of(int(made.session.max())), measures)


def _parts(
    made: Outcomes, forecasts: Mapping[str, Forecast], parts: Mapping[str, Mask]
) -> dict[str, dict[str, Measures]]:
    return {
        part: {name: measure(forecast.at(rows), made.at(rows)) for name, forecast in forecasts.items()}
        for part, rows in parts.items()
        if rows.sum() >= LEAST_ROWS
    }


def _tickers(
    made: Outcomes, forecasts: Mapping[str, Forecast], tickers: tuple[str, ...], ticker: Numbers
) -> dict[str, dict[str, TickerScore]]:
    rows: dict[int, Numbers] = {number: np.flatnonzero(ticker == number) for number in np.unique(ticker).tolist()}
    return {
        tickers[number]: {name: _score(forecast.at(here), made.at(here)) for name, forecast in forecasts.items()}
        for number, here in rows.items()
        if len(here) >= LEAST_ROWS
    }


def _score(forecast: Forecast, made: Outcomes) -> TickerScore:
    scaled, up = made.outcome / made.scale, made.outcome > 0
    ic = pooled_ic(forecast.score, scaled, made.session)
    hits = hit_rate(forecast.score, made.outcome, made.session)
    error, nothing = np.abs(made.outcome - forecast.score * made.scale).mean(), np.abs(made.outcome).mean()
    return TickerScore(
        rows=len(scaled),
        ic=None if ic is None else round(ic.value, 4),
        hit_rate=None if hits is None else round(hits.value, 4),
        log_loss=round(float(log_losses(forecast.p_up, up).mean()), 5),
        mae_skill=round(float(1 - error / nothing), 5) if nothing else 0.0,
        coverage_80=round(float(((scaled >= forecast.low) & (scaled <= forecast.high)).mean()), 4),
    )


def _daily(forecast: Forecast, made: Outcomes) -> DailyIc:
    daily = daily_correlations(forecast.score, made.outcome / made.scale, made.session)

    def plain(values: Floats) -> tuple[float, ...]:
        return tuple(values.round(4).tolist())

    return DailyIc(tuple(map(day_of, daily.session.tolist())), plain(daily.ic), plain(daily.rank_ic))


def reliability(p_up: Floats, made: Outcomes) -> tuple[Bin, ...]:
    """What was said and what happened, in bins with equal numbers of rows."""
    number, rose = equal_bins(p_up), (made.outcome > 0).astype(np.float64)
    bins = []
    for one in range(number.max() + 1):
        here = number == one
        share = series_mean(rose[here], made.session[here])
        if share is not None:
            bins.append(Bin(int(here.sum()), round(float(p_up[here].mean()), 6), share))
    return tuple(bins)
