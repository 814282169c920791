"""Requests for a prediction beside the quotes, as the API makes them, and which of them the bus has accepted."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from riskee.clock import Clock
from riskee.messaging.envelope import wrap
from riskee.messaging.messages import PredictJob
from riskee.messaging.subjects import PREDICT_NORMAL
from riskee.storage.bus import Bus, Outgoing, codec_of
from tests.faults.driver import until_accepted
from tests.faults.market import TICKERS

_PER_SECOND = 20


@dataclass
class Asker:
    """Asks for a prediction of one ticker after the other, in random order."""

    bus: Bus
    clock: Clock
    chance: random.Random
    accepted: set[uuid.UUID] = field(default_factory=set)

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        """Ask meanwhile; the last request is accepted in the end."""
        enough = asyncio.Event()
        task = asyncio.create_task(self._ask(enough))
        try:
            yield
        finally:
            enough.set()
            await task

    async def _ask(self, enough: asyncio.Event) -> None:
        while not enough.is_set():
            job = PredictJob(job_id=uuid.uuid4(), ticker=self.chance.choice(TICKERS), requested_at=self.clock.now())
            await until_accepted(self.bus, [_outgoing(job)])
            self.accepted.add(job.job_id)
            await asyncio.sleep(1 / _PER_SECOND)


def _outgoing(job: PredictJob) -> Outgoing:
    identity = job.job_id
    envelope = wrap(job, message_id=identity, correlation_id=identity, source="faults", at=job.requested_at)
    return Outgoing(PREDICT_NORMAL.name, str(identity), codec_of(PREDICT_NORMAL).encode(envelope))
