"""The loop of every consumer: take a batch, decode, handle, acknowledge.

- A message that cannot be processed is published to `dead.<subject>` with the reason, then terminated; the rest of
  its batch goes on.
- Where no message of a batch gets through, for one and the same defect, or one alone after another, this process is
  more likely at fault than each of them: they are kept, and tried again together with those that arrive. One that
  stays alone is given up in the end.
- While a server is away nothing is lost or used up: the batch is kept, its deliveries are renewed, and the health
  says what is waited for.
- Where messages wait, the servers answer and still nothing is finished, the process ends, to be started anew.
"""

import asyncio
import traceback
from collections.abc import Sequence
from time import monotonic, perf_counter
from typing import Generic, NamedTuple

from nats.aio.msg import Msg

from riskee.clock import Clock
from riskee.errors import FatalError, PoisonError, RetryableError
from riskee.logs import get_logger
from riskee.messaging.envelope import Envelope, PayloadT, correlation_of
from riskee.storage.bus import Bus
from riskee.storage.inbox import Inbox
from riskee.telemetry import BATCH_SECONDS, BATCH_SIZE, MESSAGES, RETRIES
from serving.consumers.chapters import Chapters
from serving.consumers.consumption import Consumption
from serving.consumers.dead_letters import DEAD_PREFIX, dead_letter
from serving.consumers.defects import Defects
from serving.consumers.progress import Progress
from serving.consumers.watching import Watch
from serving.health import Health
from serving.patience import StoppedError, pause, until_done

# How often lost deliveries are waited for before a new chapter begins without them.
_MOST_RESTS = 3
# How often it is looked whether they have come.
_LOOK_SECONDS = 0.05

_log = get_logger(__name__)


class _Batch(NamedTuple, Generic[PayloadT]):
    """Messages and what they say."""

    messages: Sequence[Msg]
    envelopes: Sequence[Envelope[PayloadT]]


class _Failure(NamedTuple):
    """A message that cannot be handled by itself, and why."""

    message: Msg
    error: Exception


class _EveryMessageError(RetryableError):
    """A defect that every message of a batch met."""


class ConsumerLoop(Generic[PayloadT]):
    """Runs one consumption until the service stops."""

    def __init__(
        self,
        bus: Bus,
        consumption: Consumption[PayloadT],
        *,
        health: Health,
        clock: Clock,
        stopping: asyncio.Event,
        stalled_after_seconds: float = 60.0,
    ) -> None:
        self._bus = bus
        self._consumption = consumption
        self._health = health
        self._clock = clock
        self._stopping = stopping
        self._name = consumption.durable.name
        self._inbox = Inbox(bus, consumption.durable)
        self._chapters = Chapters(consumption.chapter)
        self._defects = Defects(stalled_after_seconds, monotonic)
        self._progress = Progress(self._name, stalled_after_seconds, monotonic)

    async def run(self) -> None:
        """Consume until asked to stop; then finish what has arrived. Raises FatalError where nothing moves on."""
        watch = Watch(self._bus, self._inbox, self._progress, self._health, self._clock)
        try:
            await until_done(watch.begin, dependency=self._name, health=self._health, stopping=self._stopping)
        except StoppedError:
            return
        async with asyncio.TaskGroup() as group:
            helpers = [
                group.create_task(self._renew()),
                group.create_task(watch.run()),
                group.create_task(self._close_when_stopping()),
            ]
            try:
                await self._work()
            except* StoppedError:
                _log.info("stopped with work unfinished; it is delivered again", durable=self._name)
            for helper in helpers:
                helper.cancel()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            while messages := await self._inbox.take(self._consumption.max_batch, self._consumption.linger_seconds):
                if self._consumption.side_by_side:
                    group.create_task(self._process(messages))
                else:
                    await self._process(messages)

    async def _close_when_stopping(self) -> None:
        await self._stopping.wait()
        await self._inbox.close()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._consumption.durable.renewal_seconds)
            try:
                await self._inbox.renew()
            except RetryableError as error:
                _log.warning("the bus is away", durable=self._name, cause=str(error))

    async def _process(self, messages: Sequence[Msg]) -> None:
        BATCH_SIZE.labels(self._name).observe(len(messages))
        began = perf_counter()

        async def attempt() -> None:
            nonlocal messages
            try:
                batch = await self._complete(await self._decode(messages))
                messages = batch.messages
                await self._handle(batch)
                self._chapters.handled(batch.envelopes)
            except RetryableError as error:
                # A server is away: the health says so, and a new process would fare no better.
                self._progress.made()
                RETRIES.labels(self._name).inc()
                # What is taken side by side is in other hands.
                if isinstance(error, _EveryMessageError) and not self._consumption.side_by_side:
                    messages = await self._inbox.take_more(2 * self._consumption.max_batch - len(messages))
                raise

        await until_done(attempt, dependency=self._name, health=self._health, stopping=self._stopping)
        self._progress.made()
        BATCH_SECONDS.labels(self._name).observe(perf_counter() - began)

    async def _complete(self, batch: _Batch[PayloadT]) -> _Batch[PayloadT]:
        """A batch that begins a chapter with what was lost on its way of the last one; any other as it is."""
        losses = self._inbox.losses
        for _ in range(_MOST_RESTS):
            if not losses.noted or self._stopping.is_set() or not self._chapters.begins(batch.envelopes):
                break
            await self._wait_for_lost()
            losses.forget()
            # Also where the time is over: what was lost may have come behind this batch while the last was handled.
            batch = await self._decode(await self._inbox.take_more(self._consumption.durable.max_pending))
        return batch

    async def _wait_for_lost(self) -> None:
        """Until what was lost has come again, or cannot come any more; no longer than until asked to stop."""
        losses = self._inbox.losses
        if most := losses.seconds_left():
            _log.info("lost deliveries are waited for", durable=self._name, at_most_seconds=most)
        while (seconds := losses.seconds_left()) and not self._stopping.is_set():
            if await self._inbox.holds_all():
                losses.all_came()
            await pause(min(seconds, _LOOK_SECONDS), self._stopping)

    async def _decode(self, messages: Sequence[Msg]) -> _Batch[PayloadT]:
        good: list[Msg] = []
        envelopes: list[Envelope[PayloadT]] = []
        for message in messages:
            if message.is_acked:
                continue
            try:
                self._inbox.refuse_endless(message)
                envelopes.append(self._consumption.codec.decode(message.data))
                good.append(message)
            except PoisonError as error:
                await self._bury(message, str(error))
        return _Batch(good, envelopes)

    async def _handle(self, batch: _Batch[PayloadT]) -> None:
        """Handle what can be and bury the rest. Raises RetryableError where that is everything, for the same defect."""
        failures = await self._failures(batch)
        errors = [failure.error for failure in failures]
        defect = next((error for error in errors if not isinstance(error, PoisonError)), None)
        if defect is not None:
            _log.error("a defect, not a bad message", durable=self._name, exc_info=defect)
        ours = len(failures) == len(batch.messages) and self._defects.blame_process(errors)
        for message, error in failures:
            if isinstance(error, PoisonError):
                await self._bury(message, str(error))
            elif not ours:
                await self._bury(message, "".join(traceback.format_exception(error)[-3:]))
        if ours:
            cause = f"no message gets through, {len(failures)} at the last try: {defect!r}"
            raise _EveryMessageError(cause, "mend it as the log shows; they are kept")

    async def _failures(self, batch: _Batch[PayloadT]) -> list[_Failure]:
        """The messages that cannot be handled, found by handling halves: among thousands in some dozen tries."""
        if not batch.messages:
            return []
        try:
            await self._consumption.handle(batch.envelopes)
        except (RetryableError, FatalError):
            raise
        except Exception as error:  # noqa: BLE001 (a defect met by one message must not stop all others)
            if (middle := len(batch.messages) // 2) == 0:
                return [_Failure(batch.messages[0], error)]
            first = await self._failures(_Batch(batch.messages[:middle], batch.envelopes[:middle]))
            return first + await self._failures(_Batch(batch.messages[middle:], batch.envelopes[middle:]))
        self._defects.got_through()
        MESSAGES.labels(self._name, "ok").inc(len(batch.messages))
        await self._inbox.ack(batch.messages)
        return []

    async def _bury(self, message: Msg, reason: str) -> None:
        told = {"subject": message.subject, "correlation_id": correlation_of(message.data)}
        _log.warning("dead letter", durable=self._name, reason=reason, **told)
        if not message.subject.startswith(DEAD_PREFIX):
            letter = dead_letter(message.subject, reason, message.data, self._health.service, self._clock)
            await self._bus.publish_encoded([letter])
        await self._inbox.terminate(message)
        MESSAGES.labels(self._name, "dead").inc()
