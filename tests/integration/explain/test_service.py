"""explain against real servers, with the real language model.

Its weights are fetched once into the checkout's `.riskee/blobs`.
"""

from collections.abc import Iterator

import pytest

from riskee.blobs import Blobs, install_weights
from riskee.documents.document import Document
from riskee.settings import Settings
from riskee.storage import keys
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from tests.integration.explain.desk import BLOB_HOME, Desk, explaining
from tests.integration.front_server import FrontServer, free_port

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture(scope="module")
def llm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontServer]:
    models = tmp_path_factory.mktemp("models")
    install_weights(Blobs(BLOB_HOME), models, "qwen2.5-coder:0.5b")
    server = FrontServer("infra.embedded.ollama_front", ["--models", str(models)], "/api/version")
    yield server
    server.end()


async def test_the_language_model_explains_from_facts(
    desk: Desk, cache: Cache, database_settings: Settings, documents: list[Document], llm: FrontServer
) -> None:
    prediction = desk.predictions["IBM"]
    async with explaining(database_settings, llm.url):
        found, seconds = await desk.ask(prediction)
        again, cached_seconds = await desk.ask(prediction)
    print(f"explained in {seconds:.1f} s: {found.text}")
    assert (found.prediction_id, found.generator, found.verified) == (prediction.prediction_id, "model", True)
    assert f"{prediction.price:.2f}" in found.text
    assert {source.document_id for source in found.sources} <= {document.document_id for document in documents[:3]}
    assert found.sources
    for hidden in ("buy", "double", "Ignore", "99"):
        assert hidden not in found.text
    assert found.drivers
    assert sum(abs(driver.contribution) for driver in found.drivers) > 0
    assert again == found
    assert cached_seconds < seconds


async def test_without_a_language_model_the_template_answers_at_once(
    desk: Desk, cache: Cache, database_settings: Settings, documents: list[Document]
) -> None:
    async with explaining(database_settings, f"http://127.0.0.1:{free_port()}"):
        found, seconds = await desk.ask(desk.predictions["IBM"])
    assert (found.generator, found.verified, found.llm) == ("template", True, "")
    assert seconds < 15
    assert {source.document_id for source in found.sources} == {document.document_id for document in documents[:3]}
    assert all(f"[{label}]" in found.text for label in "ABC")


async def test_two_share_the_requests(
    desk: Desk, bus: Bus, cache: Cache, database_settings: Settings, documents: list[Document]
) -> None:
    consumers = database_settings.consumers.model_copy(update={"shared": True})
    settings, nobody = database_settings.model_copy(update={"consumers": consumers}), f"http://127.0.0.1:{free_port()}"
    async with explaining(settings, nobody), explaining(settings, nobody):
        info = await bus.jetstream.consumer_info("EXPLANATIONS", "explain")
        assert info.config.deliver_group == "explain", "each request goes to one of its readers"
        found, _ = await desk.ask(desk.predictions["IBM"])
    assert found.prediction_id == desk.predictions["IBM"].prediction_id


async def test_drivers_are_the_same_from_the_cache_and_from_the_database(
    desk: Desk, cache: Cache, database_settings: Settings, documents: list[Document]
) -> None:
    """Without time for the language model: only the facts matter here."""
    prediction = desk.predictions["AAPL"]
    async with explaining(database_settings, f"http://127.0.0.1:{free_port()}", patience=1.0):
        cached, _ = await desk.ask(prediction)
        for key, parts in ((keys.FEATURES, {}), (keys.EXPLANATION, {"ts": prediction.prediction_time})):
            await cache._redis.delete(key.of(ticker="AAPL", **parts))
        computed, _ = await desk.ask(prediction)
    assert cached.drivers
    assert [d.name for d in computed.drivers] == [d.name for d in cached.drivers]
    assert [d.contribution for d in computed.drivers] == pytest.approx([d.contribution for d in cached.drivers])


async def test_a_request_that_waited_too_long_gets_the_template(
    desk: Desk, cache: Cache, database_settings: Settings, documents: list[Document], llm: FrontServer
) -> None:
    async with explaining(database_settings, llm.url, patience=0.5):
        found, seconds = await desk.ask(desk.predictions["MSFT"])
    assert found.generator == "template"
    assert seconds < 15
