"""Which tickers and channels a connection asks for, and what is said of those that it does not get."""

from collections.abc import Sequence

from riskee.errors import RetryableError
from riskee.logs import get_logger
from riskee.settings import AlpacaStreamSettings
from serving.consumers.feeds.alpaca.stream import Stream, Subscription

# Tickers that are named in the health; the log has them all.
_NAMED = 5

_log = get_logger(__name__)


def wanted(known: Sequence[str], preferred: Sequence[str], limit: int) -> list[str]:
    """The tickers in the order in which a plan's limit is used up: those that the settings name come first."""
    first = [ticker for ticker in preferred if ticker in set(known)]
    found = list(dict.fromkeys([*first, *known]))
    return found[:limit] if limit else found


async def subscribe(stream: Stream, settings: AlpacaStreamSettings, tickers: Sequence[str]) -> tuple[list[str], str]:
    """Subscribe to all that the settings and the plan allow: the tickers with minute bars, and a line for the health.

    Corrections and cancels come by themselves with trades. Raises RetryableError where no ticker is to be had.
    """
    bars = await stream.subscribe(("bars", "updatedBars"), tickers)
    if not bars.accepted:
        raise RetryableError(f"Alpaca's stream has no minute bars for us: {bars.reason}", "it is asked again")
    has = list(bars.accepted)
    found = {
        "minute bars": bars,
        "halts": await stream.subscribe(("statuses",), has),
        "trades": await stream.subscribe(("trades",), has[: settings.trade_tickers]),
        "quotes": await stream.subscribe(("quotes",), has[: settings.quote_tickers]),
    }
    for what, subscription in found.items():
        if subscription.missing:
            _log.warning("not subscribed", what=what, reason=subscription.reason, tickers=list(subscription.missing))
    return has, "; ".join(_line(what, subscription) for what, subscription in found.items())


def _line(what: str, subscription: Subscription) -> str:
    if not subscription.missing:
        return f"{what} of {len(subscription.accepted)}"
    missing = list(subscription.missing)
    names = ", ".join(missing[:_NAMED]) + (", …" if len(missing) > _NAMED else "")
    return f"{what} of {len(subscription.accepted)}, not of {len(missing)} ({names}): {subscription.reason}"
