"""What a trade's sale conditions let it change in a minute bar: its prices, its volume, both or neither.

The rules are the vendor's own for minute bars ("How are bars aggregated?", Alpaca's market data FAQ), which follow the
specifications of the tapes: CTS for tapes A and B (NYSE), UTP for C (Nasdaq), TDDS for O (over the counter). One rule
is the daily bar's: a trade outside of regular hours (T) changes no price. In these rules opening, highest, lowest and
last price go together.
"""

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Effect:
    """Which parts of a bar a trade changes."""

    price: bool
    volume: bool


_NYSE_TAPES = frozenset("AB")
# Cash, price variation, odd lot, next day, prior reference, seller, extended hours (two), contingent, out of sequence,
# derivatively priced, qualified contingent.
_NO_PRICE = frozenset("CHINPRTUVZ47")
# Average price; the same letter is a bunched trade on the other tapes, which counts.
_NO_PRICE_NYSE = frozenset("B")
# Bunched sold, average price.
_NO_PRICE_OTHERS = frozenset("GW")
# Official close and open and the corrected close repeat a price of some other moment.
_NOTHING = frozenset("MQ9")
# The print of the closing auction: it comes shortly after the close and belongs to the session.
CLOSING_TRADE = "6"


@cache
def effect(conditions: tuple[str, ...], tape: str) -> Effect:
    """What a trade changes. Of several conditions the strictest counts; an unknown one is taken for a regular sale."""
    found = frozenset(conditions)
    silent = _NO_PRICE | (_NO_PRICE_NYSE if tape in _NYSE_TAPES else _NO_PRICE_OTHERS) | _NOTHING
    return Effect(price=found.isdisjoint(silent), volume=found.isdisjoint(_NOTHING))
