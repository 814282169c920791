"""The sources of history by name. What only a vendor needs is imported when one is asked for."""

from typing import TYPE_CHECKING

from riskee.errors import FatalError, PoisonError

if TYPE_CHECKING:
    from collections.abc import Callable

    from riskee.blobs import Blobs
    from riskee.clock import Clock
    from riskee.market.sources import Source
    from riskee.market.sources.vendors import Vendor
    from riskee.settings import Settings


def bundled_sources(blobs: "Blobs", market_ticker: str) -> "tuple[Source, ...]":
    """The history that comes with the product: five stocks, and the S&P 500 under the market's ticker."""
    from riskee.market.sources.bundled import BundledIndex, BundledStocks

    return BundledStocks(blobs), BundledIndex(blobs, market_ticker)


def _yahoo(settings: "Settings", clock: "Clock") -> "Vendor":
    from riskee.market.sources.calls import Caller
    from riskee.market.sources.yahoo import Yahoo
    from riskee.market.sources.yahoo_chart import YAHOO_INDICES

    caller = Caller("Yahoo", settings.yahoo, clock)
    return Yahoo(settings.yahoo, clock, caller, settings.home / "cache" / "yfinance", YAHOO_INDICES)


def _alpaca(settings: "Settings", clock: "Clock") -> "Vendor":
    from riskee.market.sources.alpaca import Alpaca
    from riskee.market.sources.calls import Caller

    return Alpaca(settings.alpaca, clock, Caller("Alpaca", settings.alpaca, clock))


VENDORS: "dict[str, Callable[[Settings, Clock], Vendor]]" = {"yahoo": _yahoo, "alpaca": _alpaca}


def vendor_named(name: str, settings: "Settings", clock: "Clock") -> "Vendor":
    """One of VENDORS, as the settings say.

    Raises PoisonError for another name, FatalError where the vendor's library is missing.
    """
    if name not in VENDORS:
        raise PoisonError(f"there is no vendor {name}", f"vendors: {', '.join(VENDORS)}")
    try:
        return VENDORS[name](settings, clock)
    except ImportError as error:
        raise FatalError(
            f"{error.name} is not installed, which {name} needs",
            "install the extra `vendors`: make vendors, or pip install 'riskee[vendors]'",
        ) from error
