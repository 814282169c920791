"""Every status that a ticker's number can have, declared once: for predict, the API, the pages and the reference.

A number is never shown without its status. Several may hold at once; then the gravest counts, which is the first here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Whether a ticker's number can be relied on; a flag of the same name says so on the prediction itself."""

    PREDICT_SILENT = "predict_silent"
    FEED_MUTE = "feed_mute"
    HALTED = "halted"
    NO_MODEL = "no_model"
    NO_QUOTE = "no_quote"
    UNKNOWN_TICKER = "unknown_ticker"
    STALE = "stale"
    SESSION_CLOSED = "session_closed"
    MODEL_EXPIRED = "model_expired"
    COLD_WINDOW = "cold_window"
    MARKET_MISSING = "market_missing"
    EARNINGS_UNKNOWN = "earnings_unknown"
    OK = "ok"


@dataclass(frozen=True)
class Meaning:
    """What a status says, and what to do. `last_known`: the number is the last one known, not a current one."""

    status: Status
    text: str
    next_step: str
    last_known: bool = False


_SERVICES = "`riskee status` shows what runs, `riskee logs {service}` why not"
MEANINGS = (
    Meaning(
        Status.PREDICT_SILENT,
        "The predictor or the message bus is not heard, so the number may be out of date.",
        _SERVICES.format(service="predict"),
        last_known=True,
    ),
    Meaning(
        Status.FEED_MUTE,
        "The feed is mute: no quote of any ticker came for a while, though the session is open.",
        _SERVICES.format(service="ingest"),
        last_known=True,
    ),
    Meaning(
        Status.HALTED,
        "Trading of the ticker is halted, so its price is not the market's.",
        "wait until trading resumes; the next quote clears it",
        last_known=True,
    ),
    Meaning(
        Status.NO_MODEL,
        "No model has been promoted that could predict the ticker.",
        "train a model: materialise the model assets in Dagster",
        last_known=True,
    ),
    Meaning(
        Status.NO_QUOTE,
        "No quote of the ticker has come that could be predicted from.",
        "wait for the feed's next quote; see /health/ready of ingest",
        last_known=True,
    ),
    Meaning(Status.UNKNOWN_TICKER, "The ticker is not predicted.", "GET /tickers lists those that are"),
    Meaning(
        Status.STALE,
        "The feed is stale: the quote may be out of date.",
        "wait for the ticker's next quote; /health/ready of ingest shows the feed",
        last_known=True,
    ),
    Meaning(
        Status.SESSION_CLOSED,
        "The session is closed: the number is its last one.",
        "wait for the next session; its first quotes clear it",
    ),
    Meaning(
        Status.MODEL_EXPIRED,
        "The model is past its expiry and should be retrained.",
        "train a new one: `riskee models retrain`",
    ),
    Meaning(
        Status.COLD_WINDOW,
        "The ticker's history is too short for some features.",
        "import more history: `riskee data import`",
    ),
    Meaning(
        Status.MARKET_MISSING,
        "The market index was missing, so the model saw no market features.",
        "wait for the index's next quote; RISKEE_MODEL__MARKET_TICKER names it",
    ),
    Meaning(
        Status.EARNINGS_UNKNOWN,
        "No earnings dates are known for this ticker.",
        "import them: `riskee data import` of an earnings calendar",
    ),
    Meaning(Status.OK, "Nothing is known against the number.", ""),
)
meaning_of = {meaning.status: meaning for meaning in MEANINGS}
_GRAVITY = {meaning.status.value: place for place, meaning in enumerate(MEANINGS)}


def gravest(names: Iterable[str]) -> Status:
    """The gravest of some statuses or flags; flags that are no status do not count. None of them: ok."""
    places = (_GRAVITY.get(name, len(MEANINGS) - 1) for name in names)
    return MEANINGS[min(places, default=len(MEANINGS) - 1)].status
