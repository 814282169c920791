"""Requests to Yahoo's chart API: paced, and left alone for as long as it wants."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

import httpx

from riskee.clock import Clock
from riskee.errors import NotFoundError, PoisonError, RetryableError
from riskee.market.sessions import Session
from riskee.market.sources.pacing import Pacer, retry_after
from riskee.market.sources.yahoo_chart import Chart, read_chart, yahoo_symbol
from riskee.settings import YahooSettings

_HOST = "https://query1.finance.yahoo.com"
# Yahoo turns away clients that do not look like a browser.
_HEADERS = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0"}
_QUERY = {"interval": "1m", "range": "1d", "includePrePost": "false", "events": "div,splits"}
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 300.0
# So long a pause is kept that Yahoo itself asks for.
_LONGEST_WISH = 3600.0


@dataclass
class ChartClient:
    """Asks for one ticker's chart at a time, at most so many requests a minute."""

    settings: YahooSettings
    clock: Clock
    client: httpx.AsyncClient
    chance: Callable[[], float] = random.random
    monotonic: Callable[[], float] = field(default_factory=lambda: asyncio.get_running_loop().time)
    _pacer: Pacer = field(init=False)
    _failures: int = 0

    def __post_init__(self) -> None:
        self._pacer = Pacer(self.settings.requests_per_minute, self.monotonic)

    @classmethod
    def connect(cls, settings: YahooSettings, clock: Clock) -> "ChartClient":
        """A client that connects on first use."""
        url = settings.url or _HOST
        return cls(settings, clock, httpx.AsyncClient(base_url=url, headers=_HEADERS, timeout=settings.timeout_seconds))

    async def close(self) -> None:
        await self.client.aclose()

    def pause(self) -> float:
        """Seconds until the next request may begin; that request then counts."""
        return self._pacer.pause()

    async def chart(self, ticker: str, session: Session) -> Chart | None:
        """The ticker's daily bar of the session so far, splits and dividends; None where there is none.

        Raises NotFoundError for a ticker that Yahoo does not know, PoisonError for an answer that makes no sense or
        refuses the ticker, and RetryableError where Yahoo is away or busy: then nothing may be asked for a while.
        """
        try:
            answer = await self.client.get(f"/v8/finance/chart/{quote(yahoo_symbol(ticker))}", params=_QUERY)
        except httpx.HTTPError as error:
            raise self._left_alone(f"does not answer: {type(error).__name__}") from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotFoundError(f"Yahoo does not know {yahoo_symbol(ticker)}", "check the ticker")
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
            raise self._left_alone(f"answers {answer.status_code}", answer.headers.get("Retry-After", ""))
        if answer.is_client_error:
            raise PoisonError(f"Yahoo answers {answer.status_code} for {yahoo_symbol(ticker)}", "it is asked again")
        found = read_chart(answer.content, session)
        self._failures = 0
        return found

    def _left_alone(self, what: str, wish: str = "") -> RetryableError:
        """What to raise, once the next request is put off: as Yahoo wants it, else ever longer."""
        # Requests that were under way together fail together: that is one failure.
        self._failures += not self._pacer.left_alone
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (self._failures - 1))
        wanted = retry_after(wish, self.clock.now())
        pause = longest * (0.5 + 0.5 * self.chance()) if wanted is None else min(wanted, _LONGEST_WISH)
        self._pacer.leave_alone(pause)
        return RetryableError(
            f"Yahoo {what}", f"it is asked again in {pause:.0f} s; RISKEE_YAHOO__URL may name a proxy of your own"
        )
