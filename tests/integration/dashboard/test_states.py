"""What the page says where something is missing: silence, staleness, a lost connection, no key, nothing to show."""

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest
import uvicorn

from riskee.access.api_keys import make_key
from riskee.access.grants import Grant
from riskee.messaging.envelope import wrap
from riskee.messaging.messages import Flag
from riskee.messaging.standing import StaleTickers
from riskee.messaging.subjects import PREDICTION_STALE, PREDICTION_UPDATED
from riskee.settings import Settings
from riskee.storage.api_keys import StoredKey, add_key
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from riskee.storage.database import make_engine
from serving.api.app import create_app
from serving.api.server import server_config
from tests.integration.conftest import PATIENCE_SECONDS, TICKERS, eventually, serving
from tests.integration.dashboard.browser import Dashboard, opened
from tests.integration.dashboard.made_history import LAST, prediction
from tests.integration.front_server import free_port
from tests.integration.made_predictions import put, sealed

pytestmark = pytest.mark.integration


@asynccontextmanager
async def serving_at(port: int, settings: Settings) -> AsyncIterator[str]:
    """The API at a port that another one may have had."""
    listener = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(server_config(create_app(settings), settings))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await eventually(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, PATIENCE_SECONDS)


async def test_a_stale_number_is_not_passed_off_as_fresh(dashboard: Dashboard, cache: Cache, bus: Bus) -> None:
    await put(cache, prediction("AAPL", LAST, 600.0), prediction("IBM", LAST, 196.0))
    await dashboard.open("AAPL")
    await dashboard.shows("600.00", "#figures")
    since = datetime.now(UTC) - timedelta(minutes=3)
    stale = StaleTickers(feed="replay/1", tickers=("AAPL",), since=since)
    identity = uuid.uuid4()
    await bus.publish(
        PREDICTION_STALE, wrap(stale, message_id=identity, correlation_id=identity, source="test", at=since)
    )
    await dashboard.shows(f"last known: stale since {since:%H:%M:%S} UTC", "#marks")
    await dashboard.shows("stale", dashboard.row("AAPL"))
    faded = await dashboard.page.locator(".row.last-known").evaluate_all("rows => rows.map(row => row.dataset.ticker)")
    assert faded == ["AAPL"], "only the one that is stale"
    await dashboard.picture("stale")
    await bus.publish(PREDICTION_UPDATED, sealed(prediction("AAPL", LAST, 605.0)))
    await dashboard.shows("605.00", "#figures")
    await eventually(lambda: _count(dashboard, ".row.last-known", 0))


async def test_what_speaks_against_a_number_is_said_in_words(dashboard: Dashboard, cache: Cache) -> None:
    made = msgspec.structs.replace(prediction("AAPL", LAST, 600.0), flags=(Flag.REPLAY, Flag.COLD_WINDOW))
    await put(cache, made, prediction("IBM", LAST, 196.0))
    await dashboard.open("AAPL")
    await dashboard.shows("The ticker's history is too short for some features. Import more history", "#marks-mean")
    await dashboard.page.goto(f"{dashboard.address}/dashboard/#IBM")
    await dashboard.shows("IBM", "#title")
    assert not await dashboard.page.locator("#marks-mean").is_visible(), "a replay speaks not against it"


async def test_without_a_predictor_everything_is_last_known(bus: Bus, cache: Cache, known: Settings) -> None:
    await put(cache, *(prediction(ticker, LAST, 100.0) for ticker in TICKERS))
    async with serving(known) as client, opened(str(client.base_url)) as dashboard:
        await dashboard.open("AAPL")
        await dashboard.shows("The predictor or the message bus is not heard", "#banner")
        await eventually(lambda: _count(dashboard, ".row.last-known", len(TICKERS)))
        await dashboard.shows("predictor not heard", "#feed")
        assert "silent" not in await dashboard.text("body")
        await dashboard.picture("predictor-silent")


async def _count(dashboard: Dashboard, where: str, wanted: int) -> bool:
    return await dashboard.page.locator(where).count() == wanted


async def test_a_lost_connection_is_told_and_made_anew(beating: None, bus: Bus, cache: Cache, known: Settings) -> None:
    await put(cache, prediction("AAPL", LAST, 600.0))
    port = free_port()
    async with opened(f"http://127.0.0.1:{port}") as dashboard:
        async with serving_at(port, known):
            await dashboard.open("AAPL")
            await dashboard.shows("live", "#connection")
            await eventually(lambda: _count(dashboard, ".row.last-known", 0))
        await dashboard.shows("connection lost, trying again", "#connection")
        await dashboard.shows("The connection to the server is lost", "#banner")
        await eventually(lambda: _count(dashboard, ".row.last-known", 1))
        await dashboard.picture("connection-lost")
        await dashboard.page.click("#explain")
        await dashboard.shows("The API does not answer.", "#explain-problem")
        async with serving_at(port, known):
            await dashboard.shows("live", "#connection")
            await eventually(lambda: _count(dashboard, ".row.last-known", 0))
            assert not await dashboard.page.locator("#banner").is_visible()


async def test_a_connection_goes_on_where_it_was(dashboard: Dashboard, cache: Cache, bus: Bus) -> None:
    await put(cache, prediction("AAPL", LAST, 600.0))
    sent: list[str] = []
    dashboard.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
    await dashboard.page.add_init_script(
        "const Real = WebSocket; window.WebSocket = class extends Real {"
        "constructor(...given) { super(...given); window.connection = this; } }"
    )
    await dashboard.open("AAPL")
    await dashboard.shows("600.00", "#figures")
    await dashboard.shows("live", "#connection")
    await dashboard.page.evaluate("window.connection.close()")
    await bus.publish(PREDICTION_UPDATED, sealed(prediction("AAPL", LAST, 611.0)))
    await dashboard.shows("611.00", "#figures")
    assert "resume" not in sent[0]
    assert '"resume":{"epoch"' in sent[1]
    await eventually(lambda: _count(dashboard, ".row.last-known", 0))


async def test_with_no_ticker_the_page_says_what_to_do(
    beating: None, bus: Bus, cache: Cache, database_settings: Settings
) -> None:
    async with serving(database_settings) as client, opened(str(client.base_url)) as dashboard:
        await dashboard.open()
        await dashboard.shows("No ticker is known yet.")
        await dashboard.picture("no-ticker")


async def test_while_the_api_is_away_the_page_says_so_and_tries_again(dashboard: Dashboard) -> None:
    for path in ("**/v1/tickers", "**/v1/statuses", "**/v1/models"):
        await dashboard.page.route(path, lambda route: route.abort())
    await dashboard.page.route_web_socket("**/v1/stream", lambda socket: socket.close())
    await dashboard.open()
    await dashboard.shows("The API does not answer.", "#away")
    await eventually(lambda: _is_hidden(dashboard, "#models-problem", hidden=False))
    await dashboard.shows("model unknown", "#model")
    await dashboard.picture("api-away")
    await dashboard.page.unroute_all()
    await dashboard.page.click("#again")
    await dashboard.shows("AAPL", "#rows")
    await eventually(lambda: _is_hidden(dashboard, "#models-problem"))


async def _is_hidden(dashboard: Dashboard, where: str, *, hidden: bool = True) -> bool:
    return await dashboard.page.locator(where).get_attribute("hidden") == ("" if hidden else None)


async def test_the_skeleton_stands_while_the_tickers_are_read(dashboard: Dashboard) -> None:
    may_go_on = asyncio.Event()

    async def wait(route: object) -> None:
        await may_go_on.wait()
        await route.continue_()  # type: ignore[attr-defined]

    await dashboard.page.route("**/v1/tickers", wait)
    await dashboard.open()
    await dashboard.shows("Loading the tickers", "#loading")
    await dashboard.picture("loading")
    may_go_on.set()
    await dashboard.shows("AAPL", "#rows")


@pytest.fixture
async def guarded(beating: None, bus: Bus, cache: Cache, known: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """An API that asks for a key."""
    guard = known.api.guard.model_copy(update={"require_credentials": True})
    api = known.api.model_copy(update={"guard": guard})
    async with serving(known.model_copy(update={"api": api})) as client:
        yield client


async def test_where_the_api_asks_for_a_key_the_page_does(
    guarded: httpx.AsyncClient, cache: Cache, known: Settings
) -> None:
    await put(cache, prediction("AAPL", LAST, 600.0))
    key = make_key("")
    engine = make_engine(known.database.url, 1)
    with engine.begin() as connection:
        add_key(connection, StoredKey(key.key_id, "page", key.digest, frozenset(Grant), datetime.now(UTC)))
    engine.dispose()
    async with opened(str(guarded.base_url)) as dashboard:
        await dashboard.open("AAPL")
        await dashboard.shows("API key", "#key-dialog")
        await dashboard.picture("key")
        await dashboard.press("Escape")
        await dashboard.shows("This API asks for a key.", "#key-banner")
        assert not await dashboard.page.locator("#banner").is_visible(), "what is missing is the key"
        assert await dashboard.text("#connection") == "API key needed"
        assert "Loading" not in await dashboard.text("body"), "nothing is on its way"
        await dashboard.page.click("#enter-key")
        await dashboard.page.fill("#key", "rk_wrong")
        await dashboard.press("Enter")
        await dashboard.shows("The key was not taken", "#key-dialog")
        await dashboard.page.fill("#key", key.token)
        await dashboard.press("Enter")
        await dashboard.shows("600.00", "#figures")
        await dashboard.shows("live", "#connection")
        assert not await dashboard.page.locator("#key-banner").is_visible()
        assert not [address for address in dashboard.requested if key.token in address], "a key in an address is logged"
        assert await dashboard.page.evaluate("JSON.stringify(localStorage)") == "{}"
        await dashboard.page.reload()
        await dashboard.shows("600.00", "#figures")
        await dashboard.page.click("#forget-key")
        await dashboard.shows("API key", "#key-dialog")


async def test_the_page_runs_under_a_policy_that_forbids_inline_code(dashboard: Dashboard) -> None:
    answer = await dashboard.page.request.get(f"{dashboard.address}/dashboard/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    await dashboard.open()
    await dashboard.shows("AAPL", "#rows")
    await dashboard.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p id=x onclick=\"canary=1\">x</p>')")
    await dashboard.page.evaluate("document.getElementById('x').click()")
    assert await dashboard.page.evaluate("window.canary") is None
    assert [text for text in dashboard.complaints if "Content Security Policy" in text], "the browser refuses it"
    dashboard.complaints.clear()
