"""The latest predictions as JSON that is ready to be sent."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, Self

import msgspec

from riskee.messaging.messages import Prediction
from riskee.messaging.statuses import Status
from riskee.storage.cache import decoded
from serving.api.answers import prediction_answer, session_of
from serving.api.coalesced import Coalesced
from serving.api.reading import Reader
from serving.api.ready import Ready
from serving.api.standing import Number, Reason, judged

_encode: Callable[[object], bytes] = msgspec.json.Encoder().encode


class _Prepared(NamedTuple):
    """An answer, and what it was made from."""

    body: bytes
    prediction: Prediction
    reasons: list[Reason]
    answer: Ready


class _Standing(msgspec.Struct, frozen=True):
    """What an answer has more than the prediction."""

    status: Status
    status_since: datetime | None
    session: Literal["open", "closed"]

    @classmethod
    def of(cls, number: Number) -> Self:
        return cls(number.status, number.since, session_of(number.prediction))


class Prepared:
    """Answers with a number as it stands now.

    What speaks against a number is judged for each answer. It is decoded and encoded only where that, or the cached
    body, is not what it was at the ticker's last answer, which is kept: one for each ticker that the cache had.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._kept: dict[str, _Prepared] = {}
        self._bodies = Coalesced(reader.bodies)
        self._stored = Coalesced(reader.stored)

    async def one(self, ticker: str) -> Ready | None:
        """The latest prediction of a ticker, from the database where the cache has none. Raises RetryableError where
        neither answers."""
        body = await self._bodies.get(ticker)
        answer = None if body is None else self._current(ticker, body, self._reader.clock.now())
        if answer is not None:
            return answer
        stored = await self._stored.get(ticker)
        return None if stored is None else self._old(stored)

    async def many(self, tickers: Sequence[str]) -> dict[str, bytes]:
        """Those of several tickers, of as many as have one, in one read of the cache. Raises as `one`."""
        bodies = await self._reader.bodies(tickers)
        now = self._reader.clock.now()
        current = {ticker: self._current(ticker, body, now) for ticker, body in bodies.items()}
        answers = {ticker: answer for ticker, answer in current.items() if answer is not None}
        missing = [ticker for ticker in tickers if ticker not in answers]
        stored = await self._reader.missing(missing, others=bool(answers))
        answers |= {ticker: self._old(prediction) for ticker, prediction in stored.items()}
        return {ticker: answer.body for ticker, answer in answers.items()}

    def _current(self, ticker: str, body: bytes, now: datetime) -> Ready | None:
        """None where another version of the product has written the body."""
        kept = self._kept.get(ticker)
        same = kept is not None and kept.body == body
        prediction = kept.prediction if kept is not None and same else decoded(body, Prediction)
        if prediction is None:
            return None
        reasons = self._reader.reasons(prediction, now)
        if kept is None or not same or kept.reasons != reasons:
            number = judged(prediction, reasons)
            # Where no flag came to it, its JSON is the cached one.
            plain = number.prediction is prediction and body.endswith(b"}")
            json = body[:-1] + b"," + _encode(_Standing.of(number))[1:] if plain else _encode(prediction_answer(number))
            kept = self._kept[ticker] = _Prepared(body, prediction, reasons, Ready.of(json))
        return kept.answer

    def _old(self, prediction: Prediction) -> Ready:
        """A stored prediction: a newer one may exist."""
        number = self._reader.judge(prediction, self._reader.clock.now(), current=False)
        return Ready.of(_encode(prediction_answer(number)))
