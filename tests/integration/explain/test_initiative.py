"""explain by itself: material moves are explained unasked, seldom, and once, also when the service starts again."""

import asyncio
from collections.abc import Callable

import pytest
from nats.aio.msg import Msg

from riskee.documents.document import Document
from riskee.messaging.explanations import ExplainRequest
from riskee.messaging.subjects import EXPLAIN, QUOTE
from riskee.settings import InitiativeSettings, Settings
from riskee.storage.bus import Bus, codec_of
from riskee.storage.bus_history import published_since
from riskee.storage.cache import Cache
from tests.integration.conftest import eventually
from tests.integration.explain.desk import Desk, explaining
from tests.integration.explain.ollama import Ollama, good
from tests.integration.live_data import Market
from tests.integration.test_predict_service import waves

pytestmark = [pytest.mark.integration, pytest.mark.slow]

# Any change of a price within a session is a material move.
EAGER = InitiativeSettings(per_minute=2, price_move=1e-9)


@pytest.fixture
async def requests(bus: Bus) -> list[ExplainRequest]:
    """All that are asked from now on."""
    asked: list[ExplainRequest] = []

    async def hear(message: Msg) -> None:
        asked.append(codec_of(EXPLAIN).decode(message.data).payload)

    await bus.listen(EXPLAIN.name, hear)
    return asked


async def _play(desk: Desk, bus: Bus, market: Market, place: int) -> None:
    """A session of all tickers, until it is predicted to its end."""
    final = market.sessions[place].closes_at
    for wave in waves(market, place):
        await bus.publish(QUOTE, *wave)
        await asyncio.sleep(0.1)
    await eventually(lambda: all(p.data_time == final for p in desk.predictions.values()))
    await asyncio.sleep(0.5)  # what was not asked by now is not asked


def _told(desk: Desk, count: int) -> Callable[[], bool]:
    return lambda: len(desk.answers) >= count


async def test_material_moves_are_explained_unasked_and_seldom_and_a_restart_asks_for_nothing_twice(
    desk: Desk, cache: Cache, database_settings: Settings, documents: list[Document], market: Market, bus: Bus,
    requests: list[ExplainRequest],
) -> None:  # fmt: skip
    async with Ollama(good).listening() as server:
        async with explaining(database_settings, server.url, initiative=EAGER):
            await _play(desk, bus, market, -29)
            await eventually(_told(desk, 2))
            await _play(desk, bus, market, -28)  # within the same minute
        # It starts anew: what was asked before is remembered, by the rate too.
        async with explaining(database_settings, server.url, initiative=EAGER):
            await _play(desk, bus, market, -27)
        more = EAGER.model_copy(update={"per_minute": 9})
        async with explaining(database_settings, server.url, initiative=more):
            await _play(desk, bus, market, -26)
            await eventually(_told(desk, 3))
            await _play(desk, bus, market, -25)
    assert {request.occasion for request in requests} == {"material"}
    # Two in the minute; then the third ticker, the other two are left alone.
    assert len({request.prediction.ticker for request in requests}) == len(requests) == 3
    assert [each.occasion for each in desk.answers] == ["material"] * 3
    assert {each.prediction_id for each in desk.answers} == {each.prediction.prediction_id for each in requests}
    kept = await published_since(bus, EXPLAIN, requests[0].requested_at)
    assert [envelope.payload for envelope in kept] == requests


async def test_a_ticker_that_somebody_asked_for_is_left_alone(
    desk: Desk, cache: Cache, database_settings: Settings, documents: list[Document], market: Market, bus: Bus,
    requests: list[ExplainRequest],
) -> None:  # fmt: skip
    many = EAGER.model_copy(update={"per_minute": 9})
    async with Ollama(good).listening() as server, explaining(database_settings, server.url, initiative=many):
        await desk.ask(desk.predictions["IBM"])
        await _play(desk, bus, market, -29)
        await eventually(_told(desk, 3))
    assert sorted(request.prediction.ticker for request in requests) == ["AAPL", "IBM", "MSFT"]
    assert requests[0].occasion == "request"


async def test_progress_is_told_and_every_sentence_that_is_told_is_in_the_text(
    desk: Desk, cache: Cache, database_settings: Settings, documents: list[Document]
) -> None:
    prediction = desk.predictions["IBM"]
    async with Ollama(good).listening() as server, explaining(database_settings, server.url):
        found, _ = await desk.ask(prediction)
        await eventually(lambda: desk.progress and desk.progress[-1].stage == "done")
    assert found.generator == "model"
    stages = list(dict.fromkeys(told.stage for told in desk.progress))
    assert stages == ["facts", "documents", "writing", "checking", "done"]
    assert {told.prediction_id for told in desk.progress} == {prediction.prediction_id}
    sentences = [told.sentence for told in desk.progress if told.sentence]
    assert len(sentences) >= 2
    for sentence in sentences:
        assert sentence.removesuffix(".") in found.text
    tokens = [told.tokens for told in desk.progress]
    assert tokens == sorted(tokens)
    assert not any(told.draft for told in desk.progress)
    assert (found.tokens_in, found.tokens_out) == (123, 45)
    assert all(source.url == f"/v1/documents/{source.document_id}" for source in found.sources)
    assert all(driver.shown and driver.label for driver in found.drivers)
    assert found.record is None
