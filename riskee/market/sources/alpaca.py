"""Alpaca's daily bars and corporate actions (REST, alpaca-py). Needs the extra `vendors`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cached_property
from typing import Any, TypeVar

import msgspec
import numpy as np
import pandas as pd
from alpaca.common.rest import RESTClient
from alpaca.data.enums import Adjustment, CorporateActionsType, DataFeed
from alpaca.data.historical.corporate_actions import CorporateActionsClient
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.data.requests import CorporateActionsRequest, StockBarsRequest
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
from numpy.typing import NDArray
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

from riskee.clock import Clock
from riskee.errors import NotFoundError, PoisonError
from riskee.market.bars import Floats
from riskee.market.sources.alpaca_access import LONGEST_MESSAGE, refusal, require_keys, require_private
from riskee.market.sources.alpaca_actions import ACTION_TYPES, PAID_WITHIN, Actions
from riskee.market.sources.calls import Caller
from riskee.market.sources.vendors import History
from riskee.settings import AlpacaSettings

_EXCHANGE_TIME = "America/New_York"
# Daily bars bear their midnight in New York: this time of their last day is after it, and hours before the close, so
# that plans whose newest minutes are not free may ask too.
_AFTER_MIDNIGHT = time(12, tzinfo=UTC)

Client = TypeVar("Client", bound=RESTClient)
Answer = TypeVar("Answer")


class _Bar(msgspec.Struct, rename={"time": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}):
    time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True)
class Alpaca:
    """Raw bars of one of Alpaca's feeds. Factors are made from the corporate actions, not from adjusted prices."""

    settings: AlpacaSettings
    clock: Clock
    caller: Caller

    @property
    def source(self) -> str:
        return f"alpaca:{self.settings.feed}"

    def history(self, ticker: str, first: date, last: date) -> History:
        """See Vendor."""
        rows = self._bars(ticker, first, last)
        if not rows:
            raise NotFoundError(f"Alpaca has no prices from {first} to {last}", "check the ticker and the dates")
        stamps = pd.DatetimeIndex([row.time for row in rows]).tz_convert(_EXCHANGE_TIME)
        bars = pd.DataFrame(
            {"session": stamps.tz_localize(None).astype("datetime64[us]")}
            | {name: [getattr(row, name) for row in rows] for name in ("open", "high", "low", "close", "volume")}
        )
        actions = self._actions(ticker, first)
        days = bars["session"].to_numpy().astype("datetime64[D]")
        dividends = [(dividend.ex_date, dividend.rate) for dividend in actions.cash_dividends]
        # Spin-offs are listed without what they were worth.
        return History(
            bars.assign(
                spin_off=1.0,
                dividend=_on(days, dividends, np.add, 0.0),
                split=_on(days, [(day, ratio) for _, day, ratio in actions.splits()], np.multiply, 1.0),
            ),
            notes=tuple(
                f"spun off {off.new_symbol} on {off.ex_date}, which looks like a fall: the price is not adjusted for it"
                for off in actions.spin_offs
                if first <= off.ex_date <= last
            ),
        )

    def _bars(self, ticker: str, first: date, last: date) -> list[_Bar]:
        request = StockBarsRequest(
            symbol_or_symbols=ticker,
            timeframe=TimeFrame(1, TimeFrameUnit.Day),
            start=datetime.combine(first, time(), UTC),
            end=datetime.combine(last, _AFTER_MIDNIGHT),
            adjustment=Adjustment.RAW,
            feed=DataFeed(self.settings.feed),
        )
        found = _checked(lambda: self._stocks.get_stock_bars(request), dict[str, list[_Bar]])
        return found.get(ticker, [])

    def _actions(self, ticker: str, first: date) -> Actions:
        request = CorporateActionsRequest(
            symbols=[ticker],
            types=[CorporateActionsType(name) for name in ACTION_TYPES],
            start=first,
            end=self.clock.now().date() + PAID_WITHIN,
            limit=None,  # alpaca-py's default stops after 1000 actions, without a word
        )
        return _checked(lambda: self._corporate.get_corporate_actions(request), Actions)

    @cached_property
    def _stocks(self) -> StockHistoricalDataClient:
        keys = require_keys(self.settings)
        return self._polite(StockHistoricalDataClient(*keys, raw_data=True, url_override=self._url()))

    @cached_property
    def _corporate(self) -> CorporateActionsClient:
        keys = require_keys(self.settings)
        return self._polite(CorporateActionsClient(*keys, raw_data=True, url_override=self._url()))

    def _url(self) -> str:
        return require_private(self.settings.url, "RISKEE_ALPACA__URL")

    def _polite(self, client: Client) -> Client:
        # alpaca-py has no timeouts, and waits 3 s whatever the answer says; requests' adapters are the place for both.
        adapter = _Adapter(self.settings, self.caller)
        for scheme in ("http://", "https://"):
            client._session.mount(scheme, adapter)
        return client


class _Adapter(HTTPAdapter):
    """Sends alpaca-py's requests through the caller, and says what a refusal means."""

    def __init__(self, settings: AlpacaSettings, caller: Caller) -> None:
        super().__init__()
        self._settings = settings
        self._caller = caller

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        options["timeout"] = self._settings.timeout_seconds

        def once() -> Response:
            response = super(_Adapter, self).send(request, *args, **options)
            response.content  # noqa: B018 (read here, so that a connection that breaks off is tried again)
            return response

        response = self._caller(once)
        if response.status_code >= 400:
            raise refusal(self._settings, response.status_code, response.text)
        return response


def _checked(ask: Callable[[], Any], kind: type[Answer]) -> Answer:
    """The answer in its declared form. Raises PoisonError where it does not fit."""
    try:
        return msgspec.convert(ask(), kind)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        # msgspec's errors and JSON's are ValueErrors; the others are alpaca-py's, when it takes for a page what is none
        raise PoisonError(
            f"Alpaca's answer cannot be read: {type(error).__name__}: {str(error)[:LONGEST_MESSAGE]}",
            "try again later",
        ) from error


def _on(
    days: NDArray[np.datetime64], events: Iterable[tuple[date, float]], combine: np.ufunc, nothing: float
) -> Floats:
    """The events' values on the first bar of their day or later; those before the first bar and after the last go."""
    values = np.full(len(days), nothing)
    for day, value in events:
        at = int(np.searchsorted(days, np.datetime64(day, "D")))
        if at < len(days) and np.datetime64(day, "D") >= days[0]:
            values[at] = combine(values[at], value)
    return values
