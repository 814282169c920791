"""What to measure of the live path."""

from typing import Literal, get_args

import msgspec

Part = Literal["load", "burst", "drain", "limits", "kernel"]
PARTS: tuple[Part, ...] = get_args(Part)
# Where the product is held against the floor, if there is a choice.
PAIR_TICKERS = 1000


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes of the market, quotes a second, seconds of a load, repeats, quotes of a backlog, and which parts.

    Of fewer than three repeats the worse counts.
    """

    tickers: tuple[int, ...] = (100, 1000, 5000)
    rates: tuple[int, ...] = (100, 1000, 5000)
    # At 1,000 quotes a second as many as carry a p99.9.
    seconds: float = 10.0
    repeats: int = 3
    # At 8,000 a second ten seconds of work.
    backlog: int = 80_000
    only: tuple[Part, ...] = PARTS

    @property
    def pair(self) -> int:
        """The size of the market with which the floor is measured too."""
        return PAIR_TICKERS if PAIR_TICKERS in self.tickers else max(self.tickers)

    @property
    def product_repeats(self) -> int:
        """How often the product's load is repeated at each size and rate: there are many, and a run must end."""
        return max(self.repeats - 1, 1)

    @property
    def partial(self) -> bool:
        """Whether parts are left out."""
        return set(self.only) != set(PARTS)


QUICK = Options(tickers=(200,), rates=(300,), seconds=2.0, repeats=1, backlog=2000, only=("load", "burst"))
"""For a smoke test: every kind of load once, in less than a minute."""
