"""An adapter before its server, on a clock that nobody waits for."""

from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

from riskee.clock import FixedClock
from riskee.market.sources.calls import Caller
from riskee.market.sources.vendors import History, Vendor
from riskee.settings import VendorSettings
from tests.integration.vendors.listings import DAYS, NOW
from tests.integration.vendors.server import Server

VendorT = TypeVar("VendorT", bound=Vendor)


@dataclass
class VendorBench(Generic[VendorT]):
    """The adapter, its server, and how long it has waited in vain."""

    server: Server
    vendor: VendorT
    slept: list[float]

    def history(self, ticker: str = "AAPL", first: date = DAYS[0], last: date = DAYS[-1]) -> History:
        return self.vendor.history(ticker, first, last)


def patient(name: str, settings: VendorSettings, slept: list[float]) -> Caller:
    """A caller whose clock goes on by what it sleeps, which is noted."""
    return Caller(name, settings, FixedClock(NOW), slept.append, lambda: sum(slept), lambda: 1.0)
