"""explain beside a server that speaks the protocol badly, slowly or not at all: people get the template in time."""

import asyncio
import time
import uuid
from typing import Any

import msgspec
import pytest

from riskee.documents.document import Document
from riskee.explanation.writer import MIN_SECONDS
from riskee.messaging.messages import Prediction
from riskee.messaging.subjects import QUOTE
from riskee.settings import Settings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from riskee.telemetry import EXPLANATIONS_WAITING
from tests.integration.conftest import eventually
from tests.integration.explain.desk import Desk, explaining
from tests.integration.explain.ollama import GARBAGE, Ollama, dripping, good, held_back, lying, saying, silent, slow
from tests.integration.live_data import Market
from tests.integration.test_predict_service import waves

pytestmark = [pytest.mark.integration, pytest.mark.slow]

# Enough to ask the server once. The facts take the rest of it, on a busy machine too.
SHORT = MIN_SECONDS + 2.0


def copies(prediction: Prediction, count: int) -> list[Prediction]:
    """The same prediction as if it were several."""
    return [msgspec.structs.replace(prediction, prediction_id=uuid.UUID(int=7000 + number)) for number in range(count)]


async def test_whatever_the_server_says_the_template_answers(
    desk: Desk, cache: Cache, database_settings: Settings, documents: list[Document]
) -> None:
    before = msgspec.json.encode(desk.predictions["IBM"])
    servers = {name: Ollama(behaviour) for name, behaviour in GARBAGE.items()}
    servers |= {f"status {code}": Ollama(saying(b'{"error": "no"}'), code) for code in (400, 404, 429, 500, 503)}
    texts: set[str] = set()
    for (name, server), prediction in zip(servers.items(), copies(desk.predictions["IBM"], 99), strict=False):
        async with server.listening(), explaining(database_settings, server.url):
            found, _ = await desk.ask(prediction)
        assert (found.generator, found.verified, found.llm, found.tokens_out) == ("template", True, "", 0), name
        assert found.fallback in ({"away"} if name.startswith("status") else {"away", "garbled", "refused"}), name
        assert server.chats in (1, 2), name
        texts.add(found.text)
    assert len(texts) == 1
    assert msgspec.json.encode(desk.predictions["IBM"]) == before


async def test_falsehoods_are_dropped_and_counted_by_reason(
    desk: Desk, cache: Cache, database_settings: Settings, documents: list[Document]
) -> None:
    async with Ollama(lying).listening() as server, explaining(database_settings, server.url):
        found, _ = await desk.ask(desk.predictions["IBM"])
    assert (found.generator, found.verified, found.fallback) == ("template", True, "refused")
    assert "double" not in found.text
    assert sum(found.dropped.values()) >= 4
    assert "unverified" not in found.dropped
    assert (found.tokens_in, found.tokens_out) == (2 * 123, 2 * 45)
    assert not any(told.sentence for told in desk.progress)


@pytest.mark.parametrize("behaviour", [silent, dripping])
async def test_a_server_that_does_not_come_to_an_end_is_waited_for_no_longer_than_set(
    desk: Desk, cache: Cache, database_settings: Settings, documents: list[Document], market: Market, bus: Bus,
    behaviour: Any,
) -> None:  # fmt: skip
    """The template comes within two seconds of the end of patience; predictions go on meanwhile."""
    first, *others = copies(desk.predictions["IBM"], 9)
    async with explaining(database_settings, "http://127.0.0.1:1", patience=SHORT):
        _, at_once = await desk.ask(first)
    # Long enough for a session to be predicted meanwhile, on a machine that is as busy as this one now.
    patience = SHORT + 10 * at_once
    async with Ollama(behaviour).listening() as server, explaining(database_settings, server.url, patience=patience):
        asked = asyncio.create_task(desk.ask(others[0]))
        await eventually(lambda: server.chats)
        for wave in waves(market, -29):
            await bus.publish(QUOTE, *wave)
        await eventually(lambda: desk.predictions["IBM"].session_date == market.sessions[-29].session_date)
        assert not asked.done()
        found, seconds = await asked
    assert (found.generator, found.fallback) == ("template", "late")
    assert patience <= seconds <= patience + 3 * at_once + 2.0


async def test_a_crowd_is_answered_with_few_generations_and_a_failing_server_is_left_alone(
    desk: Desk, cache: Cache, database_settings: Settings, documents: list[Document]
) -> None:
    crowd = copies(desk.predictions["IBM"], 30)
    async with (
        Ollama(silent).listening() as server,
        explaining(database_settings, server.url, patience=SHORT, queue=6),
    ):
        began = time.monotonic()
        for prediction in crowd:
            await desk.request(prediction)
        await eventually(lambda: len(desk.answers) >= len(crowd), 60)
        all_answered = time.monotonic() - began
        # Three in a row failed: nobody else asks.
        for prediction in copies(desk.predictions["AAPL"], 50):
            if server.chats >= 3:
                break
            await desk.ask(prediction)
        asked = server.chats
        again, seconds = await desk.ask(desk.predictions["MSFT"])
    assert {each.prediction_id for each in desk.answers} >= {each.prediction_id for each in crowd}
    assert server.most <= 2
    assert server.chats == asked
    assert (again.generator, again.fallback) == ("template", "resting")
    assert seconds < all_answered


async def test_people_go_before_the_own_initiative(
    desk: Desk, cache: Cache, database_settings: Settings, documents: list[Document]
) -> None:
    *unasked, asked = copies(desk.predictions["IBM"], 5)
    go = asyncio.Event()
    async with (
        Ollama(held_back(go)).listening() as server,
        explaining(database_settings, server.url, concurrency=1),
    ):
        for prediction in unasked:
            await desk.request(prediction, "material")
        await eventually(lambda: server.chats)
        await desk.request(asked)
        await eventually(lambda: EXPLANATIONS_WAITING._value.get() == len(unasked))
        go.set()
        await eventually(lambda: len(desk.answers) == 5)
    order = [each.prediction_id for each in desk.answers]
    assert order.index(asked.prediction_id) <= 1
    assert server.most == 1
    assert {each.occasion for each in desk.answers} == {"request", "material"}
    assert {each.generator for each in desk.answers} == {"model"}


async def test_requests_for_the_same_facts_share_one_generation_and_other_facts_do_not(
    desk: Desk, cache: Cache, database_settings: Settings, documents: list[Document]
) -> None:
    prediction = desk.predictions["IBM"]
    async with Ollama(slow(1.0)).listening() as server, explaining(database_settings, server.url):
        for _ in range(4):
            await desk.request(prediction)
        await eventually(lambda: len(desk.answers) == 4, 60)
        assert server.chats == 1
        assert len({each.explanation_id for each in desk.answers}) == 1
        await desk.ask(prediction)
        assert server.chats == 1  # from the cache
        settings = database_settings.explanation.model_copy(update={"documents": 2})
    fewer = database_settings.model_copy(update={"explanation": settings})
    async with Ollama(good).listening() as server, explaining(fewer, server.url):
        other, _ = await desk.ask(prediction)
        assert server.chats == 1
    assert other.facts_sha256 != desk.answers[0].facts_sha256
    assert other.explanation_id != desk.answers[0].explanation_id
