"""How good predictions were: measures of one method's forecast, with intervals that know of days."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from riskee.market.bars import Dates, Floats
from riskee.model.uncertainty import Estimate, estimate, lower_bound

Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]

# Fewer tickers in a session rank too few ways to be called a cross-section.
LEAST_TICKERS = 3
BINS = 10


@dataclass(frozen=True)
class Forecast:
    """What one method said of n rows. Score, median and bounds (10 and 90 %) are divided by the rows' volatility."""

    score: Floats
    p_up: Floats
    low: Floats
    median: Floats
    high: Floats

    def at(self, rows: Mask | Numbers) -> "Forecast":
        """The forecast of some of the rows."""
        return Forecast(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True)
class Outcomes:
    """What came of n rows: log returns, the volatilities they are divided by, and the sessions (days since 1970)."""

    outcome: Floats
    scale: Floats
    session: Numbers

    def at(self, rows: Mask | Numbers) -> "Outcomes":
        """Some of the rows."""
        return Outcomes(self.outcome[rows], self.scale[rows], self.session[rows])


@dataclass(frozen=True)
class Measures:
    """Measures of a forecast; None where a method says nothing of the kind, or there are too few sessions.

    `ic` is Spearman's correlation over all rows; `daily_ic` and `daily_rank_ic` are means over the sessions of
    Pearson's and Spearman's within each; `hit_rate` counts hits of the score's sign. `mae`, `pinball_*` and `width_80`
    are log returns; `mae_skill` is the share of the mean absolute error of forecasting zero that was saved.
    """

    rows: int
    sessions: int
    ic: Estimate | None
    daily_ic: Estimate | None
    daily_rank_ic: Estimate | None
    hit_rate: Estimate | None
    brier: float
    log_loss: float
    calibration_error: float
    mae: float
    mae_skill: float
    pinball_10: float
    pinball_50: float
    pinball_90: float
    coverage_80: Estimate | None
    width_80: float

    def flat(self) -> dict[str, float | None]:
        """Plain numbers by name; `_low` and `_high` are the ends of an interval."""
        made: dict[str, float | None] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Estimate):
                made |= {field.name: value.value, f"{field.name}_low": value.low, f"{field.name}_high": value.high}
            else:
                made[field.name] = None if value is None else float(value)
        return made


@dataclass(frozen=True)
class DailyCorrelations:
    """Pearson's and Spearman's correlation of score and outcome within each session that has enough tickers."""

    session: Numbers
    ic: Floats
    rank_ic: Floats


def ranks(values: Floats, group: Numbers | None = None) -> Floats:
    """Ranks from 0 within each group (all rows: None); equal values share the mean of theirs."""
    group = np.zeros(len(values), np.int64) if group is None else group
    order = np.lexsort((values, group))
    ordered, groups = values[order], group[order]
    begins = np.ones(len(values), np.bool_)
    begins[1:] = groups[1:] != groups[:-1]
    place = np.arange(len(values)) - np.maximum.accumulate(np.where(begins, np.arange(len(values)), 0))
    begins[1:] |= ordered[1:] != ordered[:-1]
    tie = np.cumsum(begins) - 1
    made = np.empty(len(values))
    made[order] = (np.bincount(tie, place) / np.bincount(tie))[tie]
    return made


def pooled_ic(score: Floats, scaled: Floats, session: Numbers) -> Estimate | None:
    """Spearman's correlation over all rows; None for a constant score."""
    if np.ptp(score) == 0 or np.ptp(scaled) == 0:
        return None
    first, second = (_standard(ranks(values)) for values in (score, scaled))
    correlation = float((first * second).mean())
    return estimate(correlation, first * second - correlation * (first**2 + second**2) / 2, session)


def _standard(values: Floats) -> Floats:
    return np.asarray((values - values.mean()) / values.std(), np.float64)


def daily_correlations(score: Floats, scaled: Floats, session: Numbers) -> DailyCorrelations:
    """Correlations within each session of at least LEAST_TICKERS rows whose scores and outcomes differ."""
    days, of_session, count = np.unique(session, return_inverse=True, return_counts=True)

    def correlations(first: Floats, second: Floats) -> Floats:
        first, second = (v - (np.bincount(of_session, v) / count)[of_session] for v in (first, second))
        covariance, *variances = (np.bincount(of_session, product) for product in (first * second, first**2, second**2))
        spread = np.sqrt(variances[0] * variances[1])
        # Rounding leaves a constant's deviation a little above zero.
        there = (count >= LEAST_TICKERS) & (variances[0] > 1e-20) & (variances[1] > 1e-20)
        return np.asarray(np.divide(covariance, spread, out=np.full(len(days), np.nan), where=there), np.float64)

    ic, rank_ic = correlations(score, scaled), correlations(ranks(score, of_session), ranks(scaled, of_session))
    there = np.isfinite(ic) & np.isfinite(rank_ic)
    return DailyCorrelations(days[there], ic[there], rank_ic[there])


def series_mean(values: Floats, session: Numbers) -> Estimate | None:
    """Mean of the rows (n,) of the sessions (n,), one or many of each; None without any, or of a single session."""
    return estimate(float(values.mean()), values - values.mean(), session) if len(values) else None


def hit_rate(score: Floats, outcome: Floats, session: Numbers) -> Estimate | None:
    """Share of rows whose direction was called by the score's sign, of those that moved and had a score.

    The live record has other hits: those of the likelier direction (`p_up`), where no move counts as a fall.
    """
    called = (score != 0) & (outcome != 0)
    hits = (np.sign(score) == np.sign(outcome))[called].astype(np.float64)
    return series_mean(hits, session[called])


def log_losses(p_up: Floats, up: Mask) -> Floats:
    """Logarithmic loss of each row."""
    return np.asarray(-np.log(np.where(up, p_up, 1 - p_up)), np.float64)


def equal_bins(p_up: Floats, bins: int = BINS) -> Numbers:
    """The number of each row's bin, of bins with equal numbers of rows as far as equal probabilities allow."""
    edges = np.unique(np.quantile(p_up, np.linspace(0, 1, bins + 1)[1:-1]))
    _, number = np.unique(np.searchsorted(edges, p_up, side="left"), return_inverse=True)
    return np.asarray(number, np.int64)


def calibration_error(p_up: Floats, up: Mask) -> float:
    """Mean distance of the probability said from the share of rises, over bins of equal mass."""
    bins = equal_bins(p_up)
    return float(np.abs(np.bincount(bins, p_up - up)).sum() / len(p_up))


def pinball_losses(quantile: Floats, outcome: Floats, level: float) -> Floats:
    """Quantile loss of each row at a level."""
    return np.asarray(np.maximum(level * (outcome - quantile), (level - 1) * (outcome - quantile)), np.float64)


def interval_losses(forecast: Forecast, scaled: Floats) -> Floats:
    """Quantile loss of each row's interval: of both its bounds together, in units of the volatility."""
    return pinball_losses(forecast.low, scaled, 0.1) + pinball_losses(forecast.high, scaled, 0.9)


def measure(forecast: Forecast, made: Outcomes) -> Measures:
    """All measures of one forecast."""
    outcome, scale, session = made.outcome, made.scale, made.session
    up, scaled = outcome > 0, outcome / scale
    daily = daily_correlations(forecast.score, scaled, session)
    error, nothing = np.abs(outcome - forecast.score * scale).mean(), np.abs(outcome).mean()
    inside = ((scaled >= forecast.low) & (scaled <= forecast.high)).astype(np.float64)
    return Measures(
        rows=len(outcome),
        sessions=len(np.unique(session)),
        ic=pooled_ic(forecast.score, scaled, session),
        daily_ic=series_mean(daily.ic, daily.session),
        daily_rank_ic=series_mean(daily.rank_ic, daily.session),
        hit_rate=hit_rate(forecast.score, outcome, session),
        brier=_rounded(np.square(forecast.p_up - up).mean()),
        log_loss=_rounded(log_losses(forecast.p_up, up).mean()),
        calibration_error=_rounded(calibration_error(forecast.p_up, up)),
        mae=_rounded(error),
        mae_skill=_rounded(1 - error / nothing) if nothing else 0.0,
        pinball_10=_rounded(pinball_losses(forecast.low * scale, outcome, 0.1).mean()),
        pinball_50=_rounded(pinball_losses(forecast.median * scale, outcome, 0.5).mean()),
        pinball_90=_rounded(pinball_losses(forecast.high * scale, outcome, 0.9).mean()),
        coverage_80=series_mean(inside, session),
        width_80=_rounded(((forecast.high - forecast.low) * scale).mean()),
    )


def _rounded(value: float) -> float:
    return round(float(value), 6)


def gain_bound(gain: Floats, session: Dates) -> float:
    """Lower 95 % bound of the mean gain of one method over another, paired by row.

    Rows of a session move together, so a session is one observation; and neighbouring sessions may resemble each
    other. Minus infinity for fewer than two sessions.
    """
    _, of_session = np.unique(session, return_inverse=True)
    return lower_bound(np.bincount(of_session, gain) / np.bincount(of_session))
