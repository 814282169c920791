"""The adjustment factors of a running session: those of the bars before it, changed by its own splits and dividends."""

from collections.abc import Iterable, Mapping
from datetime import date

from riskee.market.sources.alpaca_actions import Actions
from serving.consumers.feeds.today import Previous


def running_factors(previous: Mapping[str, Previous], pages: Iterable[Actions], day: date) -> dict[str, float]:
    """The factor that a quote of each ticker bears on a day, in the viewpoint of its stored bars.

    Without it a share that splits or goes ex dividend on that day would seem to fall.
    """
    factors = {ticker: bar.factor for ticker, bar in previous.items()}
    split, dividend = dict.fromkeys(factors, 1.0), dict.fromkeys(factors, 0.0)
    for actions in pages:
        for symbol, ex_date, ratio in actions.splits():
            if ex_date == day and symbol in factors:
                split[symbol] *= ratio
        for paid in actions.cash_dividends:
            if paid.ex_date == day and paid.symbol in factors:
                dividend[paid.symbol] += paid.rate
    for ticker, bar in previous.items():
        if (split[ticker], dividend[ticker]) != (1.0, 0.0):
            factors[ticker] = bar.factor_after(split[ticker], dividend[ticker])
    return factors
