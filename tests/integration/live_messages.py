"""What is on the bus, in order."""

import msgspec

from riskee.messaging.envelope import Envelope
from riskee.messaging.messages import DeadLetter, MarketStatus, Quote
from riskee.messaging.subjects import DEAD_QUOTE, MARKET_STATUS, QUOTE
from riskee.storage.bus import Bus


async def messages(bus: Bus, subject: str, payload: type[msgspec.Struct]) -> list[msgspec.Struct]:
    stream = "DEAD_LETTER" if subject.startswith("dead") else "MARKET_DATA"
    state = (await bus.jetstream.stream_info(stream)).state
    found = [await bus.jetstream.get_msg(stream, n) for n in range(state.first_seq or 1, state.last_seq + 1)]
    kind = Envelope[payload]  # type: ignore[valid-type]
    return [msgspec.json.decode(m.data or b"", type=kind).payload for m in found if m.subject == subject]


async def quotes(bus: Bus) -> list[Quote]:
    return [quote for quote in await messages(bus, QUOTE.name, Quote) if isinstance(quote, Quote)]


async def letters(bus: Bus) -> list[DeadLetter]:
    return [letter for letter in await messages(bus, DEAD_QUOTE.name, DeadLetter) if isinstance(letter, DeadLetter)]


async def states(bus: Bus) -> list[str]:
    return [s.state for s in await messages(bus, MARKET_STATUS.name, MarketStatus) if isinstance(s, MarketStatus)]
