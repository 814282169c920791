"""Corporate actions as Alpaca lists them."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Annotated

import msgspec

ACTION_TYPES = ("forward_split", "reverse_split", "stock_dividend", "cash_dividend", "spin_off")
# Actions are searched by the day on which they are processed: for a dividend that of its payment, weeks after its day.
PAID_WITHIN = timedelta(days=120)

_Rate = Annotated[float, msgspec.Meta(gt=0)]


class Split(msgspec.Struct):
    """`new_rate` shares for `old_rate` old ones."""

    ex_date: date
    new_rate: _Rate
    old_rate: _Rate
    symbol: str = ""


class Dividend(msgspec.Struct):
    """Dollars, or of a stock dividend shares, for each share."""

    ex_date: date
    rate: _Rate
    symbol: str = ""


class SpinOff(msgspec.Struct):
    """Listed without what it is worth."""

    ex_date: date
    new_symbol: str


class Actions(msgspec.Struct):
    """Of any symbols and days, by kind."""

    forward_splits: list[Split] = []
    reverse_splits: list[Split] = []
    stock_dividends: list[Dividend] = []
    cash_dividends: list[Dividend] = []
    spin_offs: list[SpinOff] = []

    def splits(self) -> Iterator[tuple[str, date, float]]:
        """Symbol, day, and the new shares for each old one; a stock dividend is a split too."""
        for split in (*self.forward_splits, *self.reverse_splits):
            yield split.symbol, split.ex_date, split.new_rate / split.old_rate
        for gift in self.stock_dividends:
            yield gift.symbol, gift.ex_date, 1.0 + gift.rate
