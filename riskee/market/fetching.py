"""Fetching: from which day on a vendor is asked for each ticker, and what becomes of its answers."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Engine

from riskee.clock import Clock
from riskee.errors import PoisonError, RetryableError
from riskee.market.frames import RawBars
from riskee.market.importing import ImportReport, import_bars
from riskee.market.sessions import EARLIEST, exchange_sessions
from riskee.market.sources.catalog import vendor_named
from riskee.market.sources.vendors import CutShortError, VendorSource
from riskee.messaging.messages import TICKER_PATTERN
from riskee.settings import Settings
from riskee.storage.database import database_errors
from riskee.storage.newest_bars import newest_bars

Progress = Callable[[int, int], None]
"""Called with the tickers asked for so far and the tickers in all."""

# The last days are fetched once more: what the vendor has corrected meanwhile becomes a version, and common days link
# the factors of the two answers.
OVERLAP = timedelta(days=7)
_LONGEST_CLOSURE = timedelta(days=14)


@dataclass(frozen=True)
class Fetched:
    """What a vendor gave, not stored yet: a Source. `failure` is why there is not more of it."""

    raw: RawBars
    failure: RetryableError | None = None

    def read(self) -> RawBars:
        return self.raw


@dataclass(frozen=True)
class Plan:
    """What to ask for: each ticker from its own day on, all to `last`."""

    first: Mapping[str, date]
    last: date


def fetch(  # noqa: PLR0913 (all that a fetch depends on, for those who do nothing in between)
    engine: Engine,
    settings: Settings,
    clock: Clock,
    source_name: str,
    tickers: Sequence[str],
    start: date | None = None,
    end: date | None = None,
    *,
    progress: Progress | None = None,
) -> ImportReport:
    """Fetch and store the bars of `tickers` from the vendor `source_name`; the report's notes name what was not there.

    The days are those of `make_plan`. Raises FatalError where the vendor refuses the caller, PoisonError where it has
    nothing of all this, RetryableError where it stops answering: then what it gave until then is stored, and the next
    call goes on from there.
    """
    fetched = download(settings, clock, source_name, make_plan(engine, settings, clock, tickers, start, end), progress)
    report = import_bars(engine, fetched, clock)
    if fetched.failure is not None:
        raise fetched.failure
    return report


def make_plan(
    engine: Engine, settings: Settings, clock: Clock, tickers: Sequence[str], start: date | None, end: date | None
) -> Plan:
    """Without `start` a ticker is fetched from shortly before its newest stored bar on, a new one for as many years as
    the settings say; without `end` to the last session that is over. Raises PoisonError for what is no ticker.
    """
    wanted = _wellformed(tickers)
    over = last_session(clock.now())
    last = min(end or over, over)
    without = last - timedelta(days=365 * settings.data.first_fetch_years)
    with database_errors(), engine.connect() as connection:
        newest = newest_bars(connection, wanted)
    first = {ticker: start or (without if day is None else day - OVERLAP) for ticker, day in newest.items()}
    late = [f"{ticker} from {day}" for ticker, day in first.items() if day > last]
    if late:
        raise PoisonError(f"nothing to fetch to {last}: {', '.join(late)}", "the last day must not be before the first")
    return Plan({ticker: max(day, EARLIEST) for ticker, day in first.items()}, last)


def download(
    settings: Settings, clock: Clock, source_name: str, plan: Plan, progress: Progress | None = None
) -> Fetched:
    """What a vendor has of a plan, not stored yet. Raises as `fetch` does."""
    done = 0

    def asked() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, len(plan.first))

    try:
        return Fetched(VendorSource(vendor_named(source_name, settings, clock), plan.first, plan.last, asked).read())
    except CutShortError as error:
        if error.partial is None:
            raise
        return Fetched(error.partial, error)


def last_session(now: datetime) -> date:
    """The newest session that is over."""
    sessions = exchange_sessions((now - _LONGEST_CLOSURE).date(), now.date())
    return max(session.session_date for session in sessions if session.closes_at <= now)


def _wellformed(tickers: Sequence[str]) -> list[str]:
    """Each ticker once. Raises PoisonError for one that cannot be, before anybody is asked for it."""
    wrong = [ticker for ticker in tickers if not re.fullmatch(TICKER_PATTERN, ticker)]
    if wrong or not tickers:
        raise PoisonError(
            f"no ticker: {', '.join(wrong)}" if wrong else "no tickers to fetch",
            "name tickers, such as AAPL BRK.B, or set RISKEE_DATA__TICKERS",
        )
    return list(dict.fromkeys(tickers))
