"""A predictor that is started again while record is behind goes on as if it had never stopped, to the last bit."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial

import pytest
from sqlalchemy import Engine, func, select

from riskee.messaging.envelope import wrap
from riskee.messaging.messages import Quote
from riskee.messaging.subjects import QUOTE
from riskee.settings import Settings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from riskee.storage.tables import quotes as recorded
from serving.consumers import predict, record
from tests.integration.conftest import consumer, eventually
from tests.integration.live_data import MARKET, Market
from tests.integration.test_predict_service import Heard
from tests.integration.test_state_on_start import LIVE, market, told

__all__ = ["market"]
pytestmark = pytest.mark.integration


class Play:
    """Quotes of one feed through predict, and what was predicted last."""

    def __init__(self, bus: Bus, heard: Heard, feed: str, market: Market) -> None:
        self._bus, self._heard = bus, heard
        live, following = told(market, LIVE[0], feed), told(market, LIVE[1], feed)
        half, self.day = len(live) // 2, following[0].session_date
        self.morning, self.afternoon, self.next_morning = live[:half], live[half:], following[: len(following) // 2]

    async def tell(self, *parts: Sequence[Quote]) -> None:
        """Publish one part after the other, each when the one before is predicted."""
        for part in parts:
            envelopes = [
                wrap(each, message_id=each.quote_id, correlation_id=each.quote_id, source="test", at=each.received_at)
                for each in part
            ]
            await self._bus.publish(QUOTE, *envelopes)
            await eventually(partial(self._predicted, part))

    def _predicted(self, part: Sequence[Quote]) -> bool:
        wanted = {quote.quote_id for quote in part if quote.ticker != MARKET}
        return wanted <= {each.payload.quote_id for each in self._heard.predictions}

    @property
    def numbers(self) -> dict[str, tuple[object, ...]]:
        """What was predicted of each ticker in the session after the live one."""
        wanted = {quote.quote_id for quote in self.next_morning}
        made = [each.payload for each in self._heard.predictions if each.payload.quote_id in wanted]
        return {
            each.ticker: (each.expected_return, each.p_up, each.confidence, each.interval, each.flags) for each in made
        }


async def test_a_session_without_stored_bars_counts_though_its_quotes_are_not_recorded_yet(
    bus: Bus, cache: Cache, database_settings: Settings, engine: Engine, market: Market
) -> None:
    heard = Heard()
    await heard.attach(bus)

    def rows() -> int:
        with engine.connect() as connection:
            return int(connection.scalar(select(func.count()).select_from(recorded)) or 0)

    lived = Play(bus, heard, "live", market)
    async with consumer("predict", database_settings, predict.main):
        await lived.tell(lived.morning, lived.afternoon, lived.next_morning)

    unrecorded = Play(bus, heard, "live/2", market)
    async with consumer("predict", database_settings, predict.main):
        await unrecorded.tell(unrecorded.morning, unrecorded.afternoon)
    async with consumer("predict", database_settings, predict.main):
        await unrecorded.tell(unrecorded.next_morning)
    assert rows() == 0

    behind = Play(bus, heard, "live/3", market)
    async with AsyncExitStack() as recording:
        async with consumer("predict", database_settings, predict.main):
            await recording.enter_async_context(consumer("record", database_settings, record.main))
            await behind.tell(behind.morning)
            told_before = [lived, unrecorded]
            told_of = sum(len(each.morning + each.afternoon + each.next_morning) for each in told_before)
            await eventually(lambda: rows() == told_of + len(behind.morning))
            await recording.aclose()
            await behind.tell(behind.afternoon)
        async with consumer("predict", database_settings, predict.main):
            await behind.tell(behind.next_morning)
    assert rows() == told_of + len(behind.morning)

    assert len(lived.numbers) > 1
    assert unrecorded.numbers == lived.numbers
    assert behind.numbers == lived.numbers
