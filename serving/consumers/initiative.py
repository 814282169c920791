"""The own initiative of explain: it hears every prediction, and asks itself to explain the material ones.

It listens beside predict, on plain NATS: whatever happens here, predict does not wait for it, and what is missed is
missed. Requests go the way of all others, so they are kept, counted and answered once.
"""

from contextlib import suppress

import msgspec
from nats.aio.msg import Msg

from riskee.errors import PoisonError, RetryableError
from riskee.explanation.materiality import Glance, Materiality
from riskee.explanation.restraint import Restraint
from riskee.ids import initiative_id
from riskee.logs import get_logger
from riskee.messaging.envelope import Envelope, wrap
from riskee.messaging.explanations import ExplainRequest
from riskee.messaging.subjects import EXPLAIN, PREDICTION_UPDATED
from riskee.storage.bus import codec_of
from riskee.storage.bus_history import published_since
from riskee.telemetry import MATERIAL_MOVES
from serving.consumers.service import Service

_log = get_logger(__name__)


class _Seen(msgspec.Struct):
    """The envelope of a prediction, as far as it is looked at."""

    payload: Glance


class Initiative:
    """Watches predictions until the service stops."""

    def __init__(self, service: Service) -> None:
        settings = service.settings.explanation.initiative
        self._service = service
        self._materiality = Materiality(settings)
        self._restraint = Restraint(settings)
        self._decoder = msgspec.json.Decoder(_Seen)

    async def begin(self) -> None:
        """Remember what was asked of late, then watch. Raises RetryableError where the bus is away."""
        bus = self._service.bus
        since = self._service.clock.now() - self._restraint.memory
        for envelope in await published_since(bus, EXPLAIN, since):
            self._remember(envelope)
        await bus.listen(EXPLAIN.name, self._on_request)
        await bus.listen(PREDICTION_UPDATED.name, self._on_prediction)

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
        await self._ask(message)

    async def _ask(self, message: Msg) -> None:
        prediction = codec_of(PREDICTION_UPDATED).decode(message.data).payload
        request = ExplainRequest(prediction=prediction, requested_at=self._service.clock.now(), occasion="material")
        envelope = wrap(
            request,
            message_id=initiative_id(prediction.prediction_id),
            correlation_id=prediction.prediction_id,
            source=self._service.name,
            at=request.requested_at,
        )
        # Before it is accepted: while the bus hesitates, the next prediction must not ask again.
        self._remember(envelope)
        try:
            await self._service.bus.publish(EXPLAIN, envelope)
        except RetryableError as error:
            MATERIAL_MOVES.labels("failed").inc()
            _log.warning("a material move is not explained", ticker=prediction.ticker, cause=str(error))
        else:
            MATERIAL_MOVES.labels("asked").inc()
            _log.info("a material move", ticker=prediction.ticker, expected_return=prediction.expected_return)
