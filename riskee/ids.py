"""Identifiers derived from content, so that doing the same work twice gives the same row (UUIDv5, RFC 9562)."""

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from datetime import date, datetime

import msgspec

NAMESPACE = uuid.UUID("6f1f6c0e-7f0a-5d0e-9c6b-9b8f3f0f7d51")


def _derived(kind: str, *parts: str) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, "\x1f".join((kind, *parts)))


def quote_id(feed: str, ticker: str, data_time: datetime, sequence: int) -> uuid.UUID:
    """The identity of one quote of one feed."""
    return _derived("quote", feed, ticker, data_time.isoformat(), str(sequence))


def prediction_id(quote: uuid.UUID, horizon: str, model_version: str) -> uuid.UUID:
    """The identity of one prediction: the quote carries feed, ticker and data time."""
    return _derived("prediction", str(quote), horizon, model_version)


def asked_prediction_id(
    prediction: uuid.UUID, job: uuid.UUID, market_quote: uuid.UUID | None, as_of: datetime
) -> uuid.UUID:
    """The identity of what a job made, of this market and at this moment, of a quote that may have been predicted
    before. A second try is of another moment, and often of another market: it is another prediction."""
    return _derived("asked-prediction", str(prediction), str(job), str(market_quote), as_of.isoformat())


def prediction_ids(quotes: Sequence[uuid.UUID], horizon: str, model_version: str) -> list[uuid.UUID]:
    """`prediction_id` of many quotes at once, at a quarter of the cost."""
    names = (f"prediction\x1f{quote}\x1f{horizon}\x1f{model_version}" for quote in msgspec.to_builtins(quotes))
    made: list[uuid.UUID] = msgspec.convert([_name_based(name.encode()) for name in names], list[uuid.UUID])
    return made


_begun = hashlib.sha1(NAMESPACE.bytes, usedforsecurity=False)


def _name_based(name: bytes) -> bytes:
    """The 16 bytes of the UUIDv5 of a name: a digest with the version and the variant put in (RFC 9562, 5.5)."""
    digest = _begun.copy()
    digest.update(name)
    identity = bytearray(digest.digest()[:16])
    identity[6] = identity[6] & 0x0F | 0x50
    identity[8] = identity[8] & 0x3F | 0x80
    return bytes(identity)


def explanation_id(prediction: uuid.UUID, facts_sha256: str, prompt_version: str, llm: str) -> uuid.UUID:
    """The identity of the explanation of one prediction from these facts by one prompt and language model."""
    return _derived("explanation", str(prediction), facts_sha256, prompt_version, llm)


def initiative_id(prediction: uuid.UUID) -> uuid.UUID:
    """The identity of the request to explain a prediction that nobody asked for: it is made once."""
    return _derived("initiative", str(prediction))


def status_id(feed: str, state: str, data_time: datetime, ticker: str = "") -> uuid.UUID:
    """The identity of a change of a feed's state, or of a ticker's."""
    return _derived("status", feed, state, data_time.isoformat(), ticker)


def standing_id(source: str, feed: str, status: str, since: datetime, tickers: Iterable[str]) -> uuid.UUID:
    """The identity of the news where a feed or some of its tickers stand."""
    return _derived("standing", source, feed, status, since.isoformat(), *tickers)


def failure_id(cause: uuid.UUID, ticker: str, status: str) -> uuid.UUID:
    """The identity of the news that a quote or a job gave no prediction."""
    return _derived("failure", str(cause), ticker, status)


def dead_letter_id(subject: str, reason: str, body: bytes) -> uuid.UUID:
    """The identity of a refused message: refusing the same bytes again for the same reason changes nothing."""
    return _derived("dead-letter", subject, reason, hashlib.sha256(body).hexdigest())


def rejection_id(origin: str, reason: str, body: str) -> uuid.UUID:
    """The identity of a quarantined row: importing the same file again adds nothing."""
    return _derived("rejection", origin, reason, hashlib.sha256(body.encode()).hexdigest())


def import_id(content_sha256: str, imported_at: datetime) -> uuid.UUID:
    """The identity of one import of one content."""
    return _derived("import", content_sha256, imported_at.isoformat())


def finding_id(ticker: str, session: date, kind: str) -> uuid.UUID:
    """The identity of an oddity in the data: found again, it stays one."""
    return _derived("finding", ticker, session.isoformat(), kind)


def answer_id(prediction: uuid.UUID, request: uuid.UUID) -> uuid.UUID:
    """The identity of the message that answers one request with a prediction that may already be known."""
    return _derived("answer", str(prediction), str(request))


def promotion_id(model_version: str) -> uuid.UUID:
    """The identity of the news that a model became champion."""
    return _derived("promotion", model_version)


def model_event_id(model_version: str, action: str, at: datetime) -> uuid.UUID:
    """The identity of one decision about a model."""
    return _derived("model-event", model_version, action, at.isoformat())


def accuracy_id(model_version: str, outcomes: int) -> uuid.UUID:
    """The identity of a model's accuracy over so many outcomes."""
    return _derived("accuracy", model_version, str(outcomes))


def watch_id(model_version: str, as_of: date, found: bytes) -> uuid.UUID:
    """Of what was found of a champion on a day of data: found again, it is the same."""
    return _derived("watch", model_version, as_of.isoformat(), hashlib.sha256(found).hexdigest())


def document_id(collection: str, source: str, key: str) -> uuid.UUID:
    """The identity of a document; re-embedding it overwrites the same point."""
    return _derived("document", collection, source, key)


def passage_id(text: uuid.UUID, number: int) -> uuid.UUID:
    """The identity of one passage of an imported text; importing the text again overwrites it."""
    return _derived("passage", str(text), str(number))


def pattern_key(ticker: str, session: date, pattern: str) -> str:
    """The natural key of a technical pattern seen in one ticker's session."""
    return f"{ticker}:{session.isoformat()}:{pattern}"
