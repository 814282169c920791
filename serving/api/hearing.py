"""What predict says of the numbers, besides the predictions: to the standings, and from them to who listens."""

from collections.abc import Callable
from dataclasses import dataclass

from nats.aio.msg import Msg

from riskee.messaging.envelope import Envelope, PayloadT
from riskee.messaging.messages import PredictionFailed
from riskee.messaging.standing import FeedStatus, StaleTickers
from riskee.messaging.subjects import BEAT, EXPLAINING, PREDICTION_FAILED, PREDICTION_STALE, PREDICTION_STATUS, Subject
from riskee.storage.bus import Bus, codec_of
from serving.api.hub import Hub
from serving.api.standing import Notice, Standings


@dataclass
class Hearing:
    """Listens for as long as the bus lives."""

    standings: Standings
    hub: Hub

    async def attach(self, bus: Bus) -> None:
        """Begin to listen."""
        for subject in (PREDICTION_STATUS, BEAT):
            await self._listen(bus, subject, self._on_standing)
        await self._listen(bus, PREDICTION_STALE, self._on_stale)
        await self._listen(bus, PREDICTION_FAILED, self._on_failed)
        await bus.listen(EXPLAINING.name, self._on_progress)

    async def _listen(
        self, bus: Bus, subject: Subject[PayloadT], judge: Callable[[Envelope[PayloadT]], list[Notice]]
    ) -> None:
        async def receive(message: Msg) -> None:
            self.hub.notify(judge(codec_of(subject).decode(message.data)))

        await bus.listen(subject.name, receive)

    async def _on_progress(self, message: Msg) -> None:
        self.hub.explaining(codec_of(EXPLAINING).decode(message.data).payload)

    def _on_standing(self, envelope: Envelope[FeedStatus]) -> list[Notice]:
        return self.standings.stands(envelope.payload, envelope.timestamp)

    def _on_stale(self, envelope: Envelope[StaleTickers]) -> list[Notice]:
        return self.standings.stale(envelope.payload)

    def _on_failed(self, envelope: Envelope[PredictionFailed]) -> list[Notice]:
        return self.standings.failed(envelope.payload, envelope.timestamp)
