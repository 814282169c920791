"""Past predictions and what became of them, over the API and a real database."""

import itertools
import math
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import Engine, text

from riskee.market.sessions import Session
from riskee.messaging.messages import Prediction
from riskee.settings import Settings
from riskee.storage.database import make_engine
from riskee.storage.recording import PREDICTIONS, record
from riskee.storage.sessions import write_sessions
from riskee.storage.track_record import Head, append
from tests.integration.made_predictions import made, sealed
from tests.integration.marts import make_marts
from tests.integration.test_api import problem

pytestmark = pytest.mark.integration
NOW = datetime.now(UTC).replace(microsecond=0)
FIRST = date(2013, 1, 1)
# Probabilities of a rise, and what happened.
CASES = tuple(itertools.product((0.5, 0.49, 0.7), (0.01, -0.01, 0.0, 0.9, -0.9)))


def past(number: int, ticker: str = "AAPL", **changed: Any) -> Prediction:
    """Two predictions a session, a minute apart."""
    moment = NOW - timedelta(minutes=10 - number)
    session = FIRST + timedelta(days=number // 2)
    fields = {"prediction_time": moment, "data_time": moment, "session_date": session, **changed}
    return msgspec.structs.replace(made(ticker), **fields)


def outcome_of(prediction: Prediction, realised: float) -> tuple[object, ...]:
    one = prediction
    session = one.session_date + timedelta(days=1)
    return (
        one.prediction_id, one.ticker, one.model_type, one.model_version, one.feed, one.data_time, one.session_date,
        session, one.expected_return, one.p_up, -0.02, 0.02, realised, one.prediction_time,
    )  # fmt: skip


@pytest.fixture
def engine(known: Settings) -> Iterator[Engine]:
    engine = make_engine(known.database.url, 2)
    yield engine
    engine.dispose()


@pytest.fixture
def recorded(engine: Engine) -> list[Prediction]:
    """Six of AAPL over three sessions, the oldest first, and one of IBM."""
    mine = [past(number, model_type="earnings" if number == 3 else "normal") for number in range(6)]
    record(engine, PREDICTIONS, [sealed(one) for one in (*mine, past(7, "IBM"))])
    return mine


async def page(client: httpx.AsyncClient, ticker: str = "AAPL", **query: Any) -> dict[str, Any]:
    return dict((await client.get(f"/v1/predictions/{ticker}", params=query)).raise_for_status().json())


def ids(answer: dict[str, Any]) -> list[str]:
    return [one["prediction_id"] for one in answer["predictions"]]


async def test_all_of_a_ticker_newest_first_by_pages(client: httpx.AsyncClient, recorded: list[Prediction]) -> None:
    newest_first = [str(one.prediction_id) for one in reversed(recorded)]
    whole = await page(client, "aapl")
    assert (ids(whole), whole["next"]) == (newest_first, None)
    found, answer = [], await page(client, limit=4)
    found += ids(answer)
    answer = await page(client, limit=4, before=answer["next"])
    assert (found + ids(answer), answer["next"]) == (newest_first, None)
    exact = await page(client, limit=6)
    assert exact["next"] is None


async def test_predictions_of_one_moment_are_all_paged(client: httpx.AsyncClient, engine: Engine) -> None:
    same = [past(3, model_version=f"m{number}") for number in range(5)]
    record(engine, PREDICTIONS, [sealed(one) for one in same])
    found: list[str] = []
    answer = await page(client, limit=2)
    while answer["next"]:
        found += ids(answer)
        answer = await page(client, limit=2, before=answer["next"])
    assert sorted(found + ids(answer)) == sorted(str(one.prediction_id) for one in same)


async def test_filters(client: httpx.AsyncClient, recorded: list[Prediction]) -> None:
    since, until = recorded[1].prediction_time, recorded[4].prediction_time
    chosen = await page(client, **{"from": since.isoformat(), "to": until.isoformat()})
    assert ids(chosen) == [str(one.prediction_id) for one in (recorded[3], recorded[2], recorded[1])]
    assert ids(await page(client, model_type="earnings")) == [str(recorded[3].prediction_id)]
    assert ids(await page(client, "MSFT")) == []


async def test_the_last_of_each_session(client: httpx.AsyncClient, recorded: list[Prediction]) -> None:
    wanted = [str(recorded[number].prediction_id) for number in (5, 3, 1)]
    assert ids(await page(client, each="session")) == wanted
    answer = await page(client, each="session", limit=2)
    assert ids(answer) == wanted[:2]
    assert ids(await page(client, each="session", limit=2, before=answer["next"])) == wanted[2:]


async def test_each_is_for_the_session_that_the_calendar_says(
    client: httpx.AsyncClient, engine: Engine, recorded: list[Prediction]
) -> None:
    assert {one["for_session"] for one in (await page(client))["predictions"]} == {None}, "the calendar is not known"
    calendar = (FIRST, FIRST + timedelta(days=1), FIRST + timedelta(days=6))
    with engine.begin() as connection:
        write_sessions(connection, [Session(day, NOW, NOW) for day in calendar])
    found = (await page(client, each="session"))["predictions"]
    assert [one["for_session"] for one in found] == ["2013-01-07", "2013-01-07", "2013-01-02"]


async def test_what_is_no_question_is_refused(client: httpx.AsyncClient) -> None:
    problem(await client.get("/v1/predictions/AAPL?before=nonsense"), 422, "bad_cursor")
    problem(await client.get("/v1/predictions/AAPL?from=2013-01-01T00:00:00"), 422, "bad_request")
    for query in ("limit=0", "limit=1001", "model_type=odd", "surprise=1", "each=week"):
        problem(await client.get(f"/v1/predictions/AAPL?{query}"), 422, "bad_request")
    swapped = await client.get("/v1/predictions/AAPL?from=2013-01-02T00:00:00Z&to=2013-01-01T00:00:00Z")
    assert "`from` is after `to`" in problem(swapped, 422, "bad_request")["detail"]
    problem(await client.get("/v1/predictions/NOSUCH"), 404, "unknown_ticker")


async def test_an_outcome_is_what_the_marts_count(client: httpx.AsyncClient, engine: Engine, known: Settings) -> None:
    make_marts(engine, known)
    said = [(past(2, p_up=p_up, model_version=f"m{p_up}{realised}"), realised) for p_up, realised in CASES]
    record(engine, PREDICTIONS, [sealed(one) for one, _ in said])
    assert {one["outcome"] for one in (await page(client))["predictions"]} == {None}
    rows = []
    for one, realised in said:
        bounds = (log_return(bound, one.price) for bound in (one.interval.p10, one.interval.p90))
        rows.append((*outcome_of(one, realised)[:10], *bounds, realised, one.prediction_time))
    with engine.begin() as connection:
        append(connection, rows, Head())
        counted = connection.execute(text("SELECT model_version, hit, below, above FROM marts.prediction_outcomes"))
        marts = {version: (hit, not (below or above)) for version, hit, below, above in counted}
    told = {one["model_version"]: one["outcome"] for one in (await page(client))["predictions"]}
    assert {version: (outcome["hit"], outcome["inside"]) for version, outcome in told.items()} == marts
    assert {one.model_version: realised for one, realised in said} == {
        version: outcome["realised_return"] for version, outcome in told.items()
    }


def log_return(bound: float, price: float) -> float:
    return math.log(bound / price)


async def test_a_session_played_again_has_the_outcome_of_the_first(client: httpx.AsyncClient, engine: Engine) -> None:
    first = past(2)
    again = msgspec.structs.replace(first, prediction_id=uuid.uuid4(), prediction_time=NOW, feed="replay/2")
    record(engine, PREDICTIONS, [sealed(first), sealed(again)])
    with engine.begin() as connection:
        append(connection, [outcome_of(first, 0.01)], Head())
    outcomes = [one["outcome"]["realised_return"] for one in (await page(client))["predictions"]]
    assert outcomes == [0.01, 0.01]
