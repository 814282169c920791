"""Yahoo's daily history (yfinance). Needs the extra `vendors`.

Yahoo's prices, volumes and dividends count all splits up to today, so they are counted back here.
"""

import warnings
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import numpy as np
import pandas as pd
import yfinance
from curl_cffi.requests import Response, Session

from riskee.clock import Clock
from riskee.errors import FatalError, NotFoundError, PoisonError
from riskee.market.adjustment import adjustment_factors, later_splits
from riskee.market.bars import Floats
from riskee.market.frames import PRICES
from riskee.market.sources.calls import Caller
from riskee.market.sources.vendors import History
from riskee.settings import YahooSettings
from riskee.storage.tickers import TickerInfo

SOURCE = "yahoo"
_CHART = "/v8/finance/chart/"
_COLUMNS = {name.capitalize(): name for name in (*PRICES, "volume")} | {
    "Dividends": "dividend", "Stock Splits": "split", "Adj Close": "adjusted_close",
}  # fmt: skip
# Yahoo's numbers are 32-bit floats, good for a price of 500 to its fourth decimal. Rounding takes off what is no price,
# so that a bar reads the same after the next split.
_FOUR_DECIMALS_UP_TO = 500.0
# Yahoo's own factor may differ by the rounding of an adjusted close of a few cents; a missing dividend is more.
_SAME_STEP = 2e-3
_LONGEST_MESSAGE = 200


class _Error(msgspec.Struct):
    description: str | None = None


class _Chart(msgspec.Struct):
    result: list[dict[str, Any]] | None = None
    error: _Error | None = None


class _Answer(msgspec.Struct):
    chart: _Chart


@dataclass(frozen=True)
class Yahoo:
    """Histories as traded, of one exchange-listed ticker after another. `cache` is where yfinance keeps its own files.

    `indices` names Yahoo's symbols of tickers that are indices here.
    """

    settings: YahooSettings
    clock: Clock
    caller: Caller
    cache: Path
    indices: dict[str, str]

    @property
    def source(self) -> str:
        return SOURCE

    def history(self, ticker: str, first: date, last: date) -> History:
        """See Vendor."""
        symbol = self.indices.get(ticker, ticker.replace(".", "-"))
        share = yfinance.Ticker(symbol, session=self._session)
        answer = self._asked(share, first)
        bars = _as_traded(answer)
        bars = bars[bars["session"] <= pd.Timestamp(last)]
        if bars["close"].notna().sum() == 0:
            raise NotFoundError(f"Yahoo has no prices from {first} to {last}", "check the ticker and the dates")
        meta = share.history_metadata
        name = meta.get("longName") or meta.get("shortName") or ticker
        info = TickerInfo(ticker, str(name), meta.get("instrumentType") == "INDEX", SOURCE)
        bars, notes = _reconciled(bars)
        return History(bars, info, notes)

    def _asked(self, share: yfinance.Ticker, first: date) -> pd.DataFrame:
        # To this day, whatever is wanted: the splits of all days since count.
        through = self.clock.now().date() + timedelta(days=1)
        try:
            with warnings.catch_warnings():
                # yfinance 1.7 uses what pandas 3.1 deprecates.
                warnings.simplefilter("ignore", DeprecationWarning)
                answer: pd.DataFrame = share.history(
                    start=first.isoformat(), end=through.isoformat(), auto_adjust=False, actions=True, keepna=True
                )
        except yfinance.exceptions.YFTickerMissingError as error:
            raise NotFoundError(f"Yahoo has no prices: {error.rationale}", "check the ticker and the dates") from error
        except (yfinance.exceptions.YFException, LookupError, TypeError, ValueError, AttributeError) as error:
            raise PoisonError(
                f"Yahoo's answer cannot be read: {type(error).__name__}: {str(error)[:_LONGEST_MESSAGE]}",
                "try again later, or update yfinance",
            ) from error
        return answer

    @cached_property
    def _session(self) -> "_PoliteSession":
        # Without this, yfinance logs errors and returns empty tables; and it would write into the user's own cache.
        yfinance.config.debug.hide_exceptions = False
        self.cache.mkdir(parents=True, exist_ok=True)
        yfinance.set_tz_cache_location(str(self.cache))
        return _PoliteSession(self.settings, self.caller)


class _PoliteSession(Session[Response]):
    """yfinance's session: it goes where the settings say, waits its turn, and says what a refusal means."""

    def __init__(self, settings: YahooSettings, caller: Caller) -> None:
        # Yahoo turns away clients that do not look like a browser.
        super().__init__(impersonate="chrome")
        self._settings = settings
        self._caller = caller
        self._refused = ""

    def request(self, method: Any, url: str, *args: Any, **options: Any) -> Response:
        options["timeout"] = self._settings.timeout_seconds
        place = self._place(url)
        if _CHART not in url:
            # Cookies and crumbs: yfinance knows what to do without.
            self._caller.pace()
            return super().request(method, place, *args, **options)
        answer = self._caller(lambda: super(_PoliteSession, self).request(method, place, *args, **options))
        self._check(answer, url)
        return answer

    def _place(self, url: str) -> str:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if self._settings.url is None or not (host == "yahoo.com" or host.endswith(".yahoo.com")):
            return url
        return self._settings.url.rstrip("/") + parts._replace(scheme="", netloc="").geturl()

    def _check(self, answer: Response, url: str) -> None:
        """Raise what the answer means, before yfinance makes something else of it, or keeps it in its cache."""
        if answer.status_code in {401, 403}:
            # The first time yfinance gets itself another cookie and asks again.
            if self._refused == url:
                raise FatalError(
                    f"Yahoo refuses this client: status {answer.status_code}",
                    "wait some hours, or set RISKEE_YAHOO__URL to a proxy, or RISKEE_DATA__SOURCE to another vendor",
                )
            self._refused = url
            return
        self._refused = ""
        try:
            chart = msgspec.json.decode(answer.content, type=_Answer).chart
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise PoisonError(f"Yahoo's answer cannot be read: {error}", "try again later") from error
        if chart.error is not None or not chart.result:
            said = chart.error and chart.error.description
            raise NotFoundError(f"Yahoo has no prices: {said or 'an empty answer'}", "check the ticker and the dates")


def _as_traded(answer: pd.DataFrame) -> pd.DataFrame:
    bars = answer.rename(columns=_COLUMNS)[list(_COLUMNS.values())].astype("float64")
    split = bars["split"].replace(0.0, 1.0).to_numpy()
    shares = later_splits(split)
    bars = bars.assign(
        session=pd.DatetimeIndex(answer.index).tz_localize(None).astype("datetime64[us]"),
        split=split,
        volume=(bars["volume"] / shares).round(),
        dividend=(bars["dividend"] * shares).round(6),
        **{name: _rounded(bars[name].to_numpy() * shares) for name in PRICES},
    )
    return bars.reset_index(drop=True)


def _rounded(price: Floats) -> Floats:
    """To four decimals, and for each further digit before the point to one less."""
    scale = 10.0 ** np.clip(4 - np.ceil(np.log10(np.maximum(np.abs(price), 1.0) / _FOUR_DECIMALS_UP_TO)), 0, 4)
    rounded: Floats = np.round(price * scale) / scale
    return rounded


def _reconciled(bars: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """With the spin-offs, and notes where Yahoo's adjusted close moves otherwise than its own splits and dividends say.

    Where there is a split or a dividend, that counts: it says what happened. Where there is none, something else was
    given away, which only the adjusted close knows: a company, a fund's gains.
    """
    bars = bars.assign(spin_off=1.0)
    known = bars[bars["close"].notna()]
    own = adjustment_factors(*(known[name].to_numpy() for name in ("close", "dividend", "split", "spin_off")))
    theirs = (known["adjusted_close"] / known["close"]).to_numpy()
    # How far Yahoo's factors fall at each bar, beside the own ones.
    beside = np.append(1.0, (own[1:] * theirs[:-1]) / (own[:-1] * theirs[1:]))
    odd = np.abs(beside - 1.0) > _SAME_STEP
    told = ((known["dividend"] > 0) | (known["split"] != 1)).to_numpy()
    given = known.index[odd & ~told]
    bars.loc[given, "spin_off"] = beside[odd & ~told].round(6)
    notes = (
        (known.index[odd & told], "disagrees with its own splits and dividends, which count"),
        (given, "alone tells of something given away, and counts"),
    )
    return bars, tuple(
        f"Yahoo's adjusted close {what}, on {len(days)} days, first {bars.loc[days[0], 'session']:%Y-%m-%d}"
        for days, what in notes
        if len(days)
    )
