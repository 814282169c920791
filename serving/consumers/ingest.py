"""ingest: what a feed says becomes `data.market.quote`. `python -m serving.consumers.ingest`."""

from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime, timedelta

from riskee.clock import Clock
from riskee.ids import status_id
from riskee.logs import get_logger
from riskee.market.quotes import Fault, QuoteGate, QuoteRefusedError, Tick, as_json
from riskee.messaging.envelope import Envelope, wrap
from riskee.messaging.messages import MarketStatus, Quote
from riskee.messaging.slots import quote_subject
from riskee.messaging.subjects import MARKET_STATUS, QUOTE
from riskee.storage.bus import Outgoing, codec_of
from riskee.telemetry import FEED_DATA_TIME, QUOTES_PUBLISHED, QUOTES_REFUSED
from riskee.tracing.hops import INGEST_PUBLISH
from serving.consumers.dead_letters import dead_letter
from serving.consumers.feeds.factory import make_feed
from serving.consumers.feeds.feed import Feed, Unplayable, Wave, rest
from serving.consumers.feeds.lockstep import until_recorded
from serving.consumers.service import Service, run
from serving.database import Database

NAME = "ingest"
# These go on from the last quotes that are recorded. A number that one of these had is not given to another.
_GO_ON_FROM_RECORDS = ("yahoo", "alpaca")

_log = get_logger(__name__)


class Ingest:
    """Validates each wave, publishes it and waits until the bus has it."""

    def __init__(self, service: Service, feed: Feed) -> None:
        self._service = service
        self._feed = feed
        self._gate: tuple[str, QuoteGate] | None = None

    async def run(self) -> None:
        """Publish until the feed ends. Raises StoppedError when the service is asked to stop."""
        async with aclosing(self._feed.waves()) as waves:  # type: ignore[type-var]
            async for wave in waves:
                await self._publish(wave)

    async def _publish(self, wave: Wave) -> None:
        bus, clock = self._service.bus, self._service.clock
        accepted, refused = screen(wave.ticks, self._gate_of(wave), clock)
        refused += refuse(wave.unplayable, clock)

        async def publish() -> None:
            if wave.status is not None:
                await bus.publish(MARKET_STATUS, _status_message(wave.status, clock))
            await bus.publish_encoded(refused)
            await bus.publish_encoded([self._addressed(envelope) for envelope in accepted])

        with self._service.tracer.hop(INGEST_PUBLISH, (envelope.payload for envelope in accepted), since=_received_at):
            await self._service.until_done("publish", publish)
        QUOTES_PUBLISHED.labels(wave.feed.partition("/")[0]).inc(len(accepted))
        if accepted:
            FEED_DATA_TIME.labels(wave.feed.partition("/")[0]).set(accepted[-1].payload.data_time.timestamp())
            _log.info(
                "published", feed=wave.feed, quotes=len(accepted), data_time=accepted[-1].payload.data_time.isoformat()
            )

    def _addressed(self, envelope: Envelope[Quote]) -> Outgoing:
        settings = self._service.settings
        subject = quote_subject(envelope.payload.ticker, settings.predict.parts, settings.model.market_ticker)
        return Outgoing(subject, str(envelope.message_id), codec_of(QUOTE).encode(envelope))

    def _gate_of(self, wave: Wave) -> QuoteGate:
        if self._gate is None or self._gate[0] != wave.feed:
            usual = timedelta(seconds=self._service.settings.feed.stale_after_seconds)
            max_lag = usual if self._feed.max_lag is None else self._feed.max_lag
            self._gate = wave.feed, QuoteGate(wave.known, max_lag, self._feed.max_age)
        self._gate[1].known = wave.known
        return self._gate[1]


def screen(ticks: Sequence[Tick], gate: QuoteGate, clock: Clock) -> tuple[list[Envelope[Quote]], list[Outgoing]]:
    """The quotes to publish, and the dead letters of those that are refused."""
    accepted: list[Envelope[Quote]] = []
    refused: list[Outgoing] = []
    for tick in ticks:
        try:
            quote = gate.admit(tick, clock.now())
        except QuoteRefusedError as error:
            QUOTES_REFUSED.labels(error.fault).inc()
            refused.append(dead_letter(QUOTE.name, str(error), as_json(tick), NAME, clock))
        else:
            accepted.append(
                wrap(
                    quote,
                    message_id=quote.quote_id,
                    correlation_id=quote.quote_id,
                    source=NAME,
                    at=quote.received_at,
                )
            )
    return accepted, refused


def refuse(unplayable: Sequence[Unplayable], clock: Clock) -> list[Outgoing]:
    """The dead letters of what gives no quotes."""
    QUOTES_REFUSED.labels(Fault.MALFORMED).inc(len(unplayable))
    return [dead_letter(QUOTE.name, f"{Fault.MALFORMED}: {each.reason}", each.body, NAME, clock) for each in unplayable]


def _received_at(quote: Quote) -> datetime:
    return quote.received_at


def _status_message(status: MarketStatus, clock: Clock) -> Envelope[MarketStatus]:
    identity = status_id(status.feed, status.state, status.data_time, status.ticker or "")
    return wrap(status, message_id=identity, correlation_id=identity, source=NAME, at=clock.now())


async def main(service: Service) -> None:
    """Play until asked to stop; at the end of a replay wait for new history."""
    database = Database.connect(service.settings.database)
    feed = make_feed(service, database)
    try:
        if service.settings.feed.kind in _GO_ON_FROM_RECORDS:
            await until_recorded(service)
        while True:
            await Ingest(service, feed).run()
            await rest(service, service.settings.feed.stale_after_seconds)
    finally:
        database.close()


if __name__ == "__main__":
    run(NAME, main)
