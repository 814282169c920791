"""What the page says before it knows, and what it does where an answer is late, missing or a refusal."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from playwright.async_api import Route
from sqlalchemy import Engine

from riskee.messaging.messages import Flag
from riskee.settings import Settings
from tests.integration.conftest import eventually
from tests.integration.dashboard.browser import Dashboard
from tests.integration.dashboard.made_history import LAST, prediction, wandering, write_history
from tests.integration.dashboard.made_stream import MadeStream

pytestmark = pytest.mark.integration
PAST = "**/v1/predictions/AAPL*"


@pytest.fixture
async def stream(dashboard: Dashboard) -> MadeStream:
    stream = MadeStream()
    await stream.stand_in(dashboard.page)
    return stream


async def test_a_refused_subscription_is_made_anew(dashboard: Dashboard, stream: MadeStream) -> None:
    await dashboard.open("AAPL")
    await eventually(lambda: len(stream.connections) == 1)
    problem = {"title": "unavailable", "status": 503, "detail": "the cache is away", "next_step": "try again"}
    stream.say(type="error", problem=problem)
    await dashboard.shows("connection lost, trying again", "#connection")
    await dashboard.shows("the cache is away", "#banner")
    await eventually(lambda: len(stream.connections) == 2)
    stream.stand("ok")
    stream.predict(prediction("AAPL", LAST, 600.0))
    stream.say(type="complete")
    await dashboard.shows("live", "#connection")
    await dashboard.shows("600.00", "#figures")
    stream.say(type="error", problem=problem)
    stream.predict(prediction("AAPL", LAST, 601.0))
    await dashboard.shows("601.00", "#figures")
    assert len(stream.connections) == 2, "one that works is kept"


async def test_nothing_is_called_missing_before_everything_was_told(dashboard: Dashboard, stream: MadeStream) -> None:
    await dashboard.open("IBM")
    await dashboard.shows("Loading …", dashboard.row("IBM"))
    await dashboard.shows("Loading …", "#no-prediction")
    await dashboard.shows("Loading …", "#feed-age")
    await eventually(lambda: len(stream.connections) == 1)
    stream.stand("ok")
    stream.say(type="complete")
    await dashboard.shows("none yet", dashboard.row("IBM"))
    await dashboard.shows("This ticker has no prediction yet.", "#no-prediction")
    await dashboard.shows("no quote yet", "#feed-age")


async def test_a_ticker_of_an_old_bookmark_is_not_asked_for_again(dashboard: Dashboard, stream: MadeStream) -> None:
    await dashboard.page.clock.install()
    await dashboard.open("GONE")
    await eventually(lambda: len(stream.connections) == 1)
    stream.stand("ok")
    stream.say(type="complete")
    await dashboard.shows("live", "#connection")
    await dashboard.shows("GONE is no ticker that is predicted.", "#no-prediction")
    assert not await dashboard.page.locator("#detail .card >> visible=true").count(), "its error is told once"
    asked = [url for url in dashboard.requested if "/v1/predictions/GONE" in url]
    await dashboard.page.clock.fast_forward("01:00")
    await dashboard.shows("GONE is no ticker that is predicted.", "#no-prediction")
    assert [url for url in dashboard.requested if "/v1/predictions/GONE" in url] == asked


async def test_the_feed_is_as_grave_as_that_of_any_ticker(dashboard: Dashboard, stream: MadeStream) -> None:
    await dashboard.open("AAPL")
    await dashboard.shows("MSFT", "#rows")
    await eventually(lambda: len(stream.connections) == 1)
    stream.stand("ok", "AAPL")
    stream.stand("predict_silent", "IBM", "MSFT")
    stream.say(type="complete")
    await dashboard.shows("2 of 3 tickers: predictor not heard", "#feed")
    said = "2 of 3 tickers, since 2012-01-01 00:00 UTC: The predictor or the message bus is not heard."
    assert await dashboard.text("#banner") == said
    stream.stand("ok", "IBM", "MSFT")
    await dashboard.shows("feed ok", "#feed")
    assert not await dashboard.page.locator("#banner").is_visible()


async def test_the_last_quote_is_the_latest_however_its_time_is_written(
    dashboard: Dashboard, stream: MadeStream
) -> None:
    await dashboard.open("AAPL")
    await eventually(lambda: len(stream.connections) == 1)
    second = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)  # written without a fraction, which as a text is the greater
    for ticker, feed, at in (("AAPL", "one", second), ("IBM", "two", second + timedelta(milliseconds=500))):
        made = prediction(ticker, LAST, 600.0)
        stream.predict(msgspec.structs.replace(made, feed=feed, prediction_time=at))
    stream.say(type="complete")
    await dashboard.shows("two · last quote", "#feed-age")


async def test_the_head_names_the_model_in_use(dashboard: Dashboard, stream: MadeStream) -> None:
    model = {
        "model_version": "normal-1", "model_type": "normal", "alias": "champion", "trained_through": "2012-09-05",
        "expires_at": "2013-09-05", "created_at": "2012-09-06T00:00:00Z",
    }  # fmt: skip
    await dashboard.page.route("**/v1/models", lambda route: route.fulfill(json=[model]))
    await dashboard.open("AAPL")
    await eventually(lambda: len(stream.connections) == 1)
    stream.stand("ok")
    stream.say(type="complete")
    await dashboard.shows("model normal-1", "#model")
    await dashboard.shows("until 2013-09-05", "#model")
    made = prediction("AAPL", LAST, 600.0)
    expired = (Flag.REPLAY, Flag.MODEL_EXPIRED)
    stream.predict(msgspec.structs.replace(made, model_version="normal-1", flags=expired))
    await dashboard.shows("expired", "#model")
    assert "until" not in await dashboard.text("#model")
    for ticker in ("IBM", "MSFT"):
        stream.predict(msgspec.structs.replace(prediction(ticker, LAST, 600.0), model_version="normal-2"))
    await dashboard.shows("model normal-2", "#model")
    await dashboard.shows("1 more", "#model")


async def test_a_failed_read_keeps_the_chart_and_is_tried_again(
    dashboard: Dashboard, stream: MadeStream, engine: Engine, known: Settings
) -> None:
    made = write_history(engine, known, "AAPL", wandering(20))
    await dashboard.page.clock.install()
    await dashboard.open("AAPL")
    await dashboard.shows("of the last 19", "#chart-summary")
    await eventually(lambda: len(stream.connections) == 1)
    await dashboard.page.clock.fast_forward("00:06")
    await dashboard.page.route(PAST, lambda route: route.abort())
    async with dashboard.page.expect_event("requestfailed"):
        stream.predict(prediction("AAPL", LAST.replace(day=7), made[-1].price))
        await dashboard.page.clock.run_for(100)
    await dashboard.page.wait_for_timeout(50)
    assert await dashboard.page.get_attribute("#chart-box", "data-state") == "", "what is shown stays"
    await dashboard.page.unroute(PAST)
    async with dashboard.page.expect_response(PAST):
        await dashboard.page.clock.run_for(6000)


async def test_an_answer_that_is_cut_off_is_asked_for_again(dashboard: Dashboard, stream: MadeStream) -> None:
    cut_off = {"content_type": "application/json", "body": '{"predictions": ['}
    await dashboard.page.route(PAST, lambda route: route.fulfill(**cut_off))
    await dashboard.open("AAPL")
    await dashboard.shows("The API's answer did not come whole.", "#chart-box")
    await dashboard.page.unroute(PAST)
    await dashboard.page.click("#chart-again")
    await dashboard.shows("No prediction of this ticker is stored yet.", "#chart-box")


async def test_the_record_is_that_of_the_choice(
    dashboard: Dashboard, stream: MadeStream, engine: Engine, known: Settings
) -> None:
    write_history(engine, known, "AAPL", wandering(20))
    may_go_on = asyncio.Event()

    async def late(route: Route) -> None:
        await may_go_on.wait()
        await route.abort()

    await dashboard.open("AAPL")
    await dashboard.shows("19 predictions", "#record-of")
    await dashboard.page.route("**/v1/track-record/IBM", late)
    await dashboard.page.goto(f"{dashboard.address}/dashboard/#IBM")
    await dashboard.shows("IBM", "#record-ticker")
    await dashboard.shows("Loading …", "#record-empty")
    assert not await dashboard.page.locator("#record").is_visible(), "another ticker's rates"
    await dashboard.page.click("text=All")
    await dashboard.shows("19 predictions", "#record-of")
    may_go_on.set()
    await dashboard.page.wait_for_timeout(200)
    assert await dashboard.page.locator("#record").is_visible(), "a late answer is not the one that was asked for"
    await dashboard.page.click("#record-ticker")
    await dashboard.shows("The API does not answer.", "#record-empty")
    await dashboard.page.unroute("**/v1/track-record/IBM")
    await dashboard.page.click("#record-again")
    await dashboard.shows("No prediction is settled yet.", "#record-empty")


@pytest.mark.parametrize(("feed", "told"), [("alpaca/1", True), ("replay/1", False)])
async def test_a_closed_session_is_explained_where_it_stays_closed(
    dashboard: Dashboard, stream: MadeStream, feed: str, told: bool
) -> None:
    await dashboard.open("AAPL")
    await eventually(lambda: len(stream.connections) == 1)
    stream.predict(msgspec.structs.replace(prediction("AAPL", LAST, 600.0), feed=feed))
    stream.stand("session_closed")
    stream.say(type="complete")
    await dashboard.shows("session closed", "#feed")
    await dashboard.shows("600.00", "#figures")
    assert await dashboard.page.locator("#banner").is_visible() is told
