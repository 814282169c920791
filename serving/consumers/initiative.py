"""The own initiative of explain: it hears every prediction, and asks itself to explain the material ones.

It listens beside predict, on plain NATS: whatever happens here, predict does not wait for it, and what is missed is
missed. What it has not looked at yet is bounded. Requests go the way of all others, so they are kept, counted and
answered once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import msgspec
from nats.aio.msg import Msg

from riskee.errors import PoisonError, RetryableError, RiskeeError
from riskee.explanation.materiality import Glance, Materiality
from riskee.explanation.restraint import Restraint
from riskee.ids import initiative_id
from riskee.logs import get_logger
from riskee.messaging.envelope import Envelope, wrap
from riskee.messaging.explanations import ExplainRequest
from riskee.messaging.messages import Quote
from riskee.messaging.subjects import EXPLAIN, PREDICTION_UPDATED
from riskee.storage.bus import codec_of
from riskee.storage.bus_history import published_since
from riskee.telemetry import MATERIAL_MOVES
from serving.consumers.service import Service

# Of predictions that were not looked at yet: some seconds of them at the fastest, then the next ones are missed.
_UNREAD_BYTES = 16 * 1024 * 1024

_log = get_logger(__name__)


class _Seen(msgspec.Struct):
    """The envelope of a prediction, as far as it is looked at."""

    payload: Glance


class Initiative:
    """Watches predictions until the service stops."""

    def __init__(self, service: Service, newest_quotes: Callable[[], Awaitable[list[Quote]]]) -> None:
        settings = service.settings.explanation.initiative
        self._service = service
        self._newest_quotes = newest_quotes
        self._materiality = Materiality(settings)
        self._restraint = Restraint(settings)
        self._decoder = msgspec.json.Decoder(_Seen)
        self._asking: set[asyncio.Task[None]] = set()

    async def begin(self) -> None:
        """Remember what was asked of late, then watch. Raises RetryableError where the bus is away."""
        bus = self._service.bus
        since = self._service.clock.now() - self._restraint.memory
        for envelope in await published_since(bus, EXPLAIN, since):
            self._remember(envelope)
        await self._recall_openings()
        await bus.listen(EXPLAIN.name, self._on_request)
        await bus.listen(PREDICTION_UPDATED.name, self._on_prediction, unread_bytes=_UNREAD_BYTES)

    async def _recall_openings(self) -> None:
        """With what prices the sessions began. Without the database they begin with the next one that is heard."""
        try:
            quotes = await self._newest_quotes()
        except RetryableError as error:
            _log.warning("moves are measured from now on, not from the session's beginning", cause=str(error))
            return
        for quote in quotes:
            self._materiality.opened(quote.ticker, quote.session_date, quote.open)

    def _remember(self, envelope: Envelope[ExplainRequest]) -> None:
        request = envelope.payload
        self._restraint.heard(envelope.message_id, request.prediction.ticker, request.requested_at, request.occasion)

    async def _on_request(self, message: Msg) -> None:
        with suppress(PoisonError):  # the consumer of requests says so
            self._remember(codec_of(EXPLAIN).decode(message.data))

    async def _on_prediction(self, message: Msg) -> None:
        try:
            seen = self._decoder.decode(message.data).payload
        except msgspec.MsgspecError as error:
            _log.warning("a prediction cannot be read", cause=str(error))
            return
        if not self._materiality.material(seen):
            return
        if not self._restraint.allows(seen.ticker, self._service.clock.now()):
            MATERIAL_MOVES.labels("held_back").inc()
            return
        # Not waited for: while the bus hesitates, predictions go on to be heard.
        try:
            envelope = self._request(message)
        except PoisonError as error:
            MATERIAL_MOVES.labels("failed").inc()
            _log.warning("a material move cannot be read", cause=str(error))
            return
        # Before it is accepted: the next prediction must not ask again.
        self._remember(envelope)
        task = asyncio.create_task(self._ask(envelope))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    def _request(self, message: Msg) -> Envelope[ExplainRequest]:
        """Raises PoisonError for a prediction of which only a glance can be read."""
        prediction = codec_of(PREDICTION_UPDATED).decode(message.data).payload
        request = ExplainRequest(prediction=prediction, requested_at=self._service.clock.now(), occasion="material")
        return wrap(
            request,
            message_id=initiative_id(prediction.prediction_id),
            correlation_id=prediction.prediction_id,
            source=self._service.name,
            at=request.requested_at,
        )

    async def _ask(self, envelope: Envelope[ExplainRequest]) -> None:
        prediction = envelope.payload.prediction
        try:
            await self._service.bus.publish(EXPLAIN, envelope)
        except RiskeeError as error:
            MATERIAL_MOVES.labels("failed").inc()
            _log.warning("a material move is not explained", ticker=prediction.ticker, cause=str(error))
        else:
            MATERIAL_MOVES.labels("asked").inc()
            _log.info("a material move", ticker=prediction.ticker, expected_return=prediction.expected_return)
