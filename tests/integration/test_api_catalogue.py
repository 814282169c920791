"""Features, models, track records, tickers, documents and explanations by id, over the API and real servers."""

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime

import httpx
import msgspec
import pytest
from sqlalchemy import Engine, insert

from riskee.documents.document import Document
from riskee.features.definitions import FEATURES, feature_set_hash
from riskee.messaging.envelope import wrap
from riskee.model.registry import register
from riskee.settings import Settings
from riskee.storage import keys
from riskee.storage.cache import Cache
from riskee.storage.database import make_engine
from riskee.storage.documents import write_passages
from riskee.storage.entries import Entry
from riskee.storage.recording import EXPLANATIONS, PREDICTIONS, record
from riskee.storage.tables import features_daily
from riskee.storage.track_record import Head, append
from tests.integration.answering import Answering, answering, explanation
from tests.integration.conftest import TICKERS
from tests.integration.made_predictions import made, put, sealed
from tests.integration.marts import make_marts
from tests.integration.test_api import problem
from tests.integration.test_track_record_command import SESSIONS, row
from tests.unit.model.small import small_artifact, small_result

__all__ = ["answering"]
pytestmark = pytest.mark.integration
NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def engine(known: Settings) -> Iterator[Engine]:
    engine = make_engine(known.database.url, 2)
    yield engine
    engine.dispose()


async def test_features_are_those_of_the_latest_prediction(client: httpx.AsyncClient, cache: Cache) -> None:
    body = msgspec.json.encode({"return_1d": 0.01, "beta_60d": None})
    fields: dict[str, str | bytes] = {"body": body, "data_time": NOW.isoformat()}
    await cache.write([Entry.of(keys.FEATURES, {"ticker": "AAPL"}, dict(fields))])
    answer = (await client.get("/v1/features/aapl")).raise_for_status().json()
    assert (answer["source"], answer["session_date"]) == ("cache", None)
    assert msgspec.convert(answer["data_time"], datetime) == NOW
    assert list(answer["features"]) == [one.name for one in FEATURES]
    assert answer["features"]["return_1d"]["value"] == 0.01
    assert answer["features"]["return_1d"]["unit"] == "log return"
    assert answer["features"]["beta_60d"]["value"] is None
    assert answer["features"]["macd"]["value"] is None
    assert answer["feature_sets"] == {name: feature_set_hash(name) for name in ("normal", "earnings")}


async def test_features_of_the_last_session_where_the_cache_has_none(
    client: httpx.AsyncClient, cache: Cache, engine: Engine
) -> None:
    problem(await client.get("/v1/features/AAPL"), 404, "no_features")
    rows = [{"ticker": "AAPL", "session_date": date(2013, 1, day), "rsi_14": float(day)} for day in (2, 3)]
    with engine.begin() as connection:
        connection.execute(insert(features_daily), rows)
    answer = (await client.get("/v1/features/AAPL")).raise_for_status().json()
    assert (answer["source"], answer["session_date"], answer["data_time"]) == ("database", "2013-01-03", None)
    assert answer["features"]["rsi_14"]["value"] == 3.0
    assert answer["features"]["return_1d"]["value"] is None


async def test_models_with_their_lineage(client: httpx.AsyncClient, engine: Engine) -> None:
    assert (await client.get("/v1/models")).json() == []
    older = msgspec.structs.replace(small_artifact(), trained_through=date(2012, 12, 30))
    for minute, artifact in enumerate((older, small_artifact())):
        with engine.begin() as connection:
            result = small_result(artifact, "promoted" if minute else "refused")
            register(connection, result, "run-1", NOW.replace(minute=minute))
    newest, oldest = (await client.get("/v1/models")).raise_for_status().json()
    assert (newest["alias"], newest["expires_at"]) == ("champion", str(small_artifact().valid_until))
    assert newest["artifact_sha256"] == small_artifact().sha256
    assert newest["metrics"]
    assert newest["baselines"]
    assert (oldest["alias"], oldest["decision"], oldest["reason"]) == (None, "refused", "because")
    assert len((await client.get("/v1/models?limit=1")).json()) == 1
    whole = (await client.get(f"/v1/models/{oldest['model_version']}")).raise_for_status().json()
    assert whole.items() >= {**oldest, "expires_at": str(older.valid_until)}.items()
    assert [one["action"] for one in whole["decisions"]] == ["refused"]
    assert "walk_forward" in whole["evaluation"]
    problem(await client.get("/v1/models/none-such"), 404, "not_found")


async def test_the_record_of_a_ticker_and_of_all(client: httpx.AsyncClient, known: Settings, engine: Engine) -> None:
    assert (await client.get("/v1/track-record/AAPL")).json() == {"ticker": "AAPL", "models": [], "calibration": []}
    make_marts(engine, known)
    assert (await client.get("/v1/track-record/AAPL")).json() == {"ticker": "AAPL", "models": [], "calibration": []}
    rows = [row(number, ticker, number % 5 != 0) for number in range(SESSIONS) for ticker in ("AAPL", "IBM")]
    with engine.begin() as connection:
        append(connection, rows, Head())
    answer = (await client.get("/v1/track-record/aapl")).raise_for_status().json()
    total = answer["models"][0]
    assert [one["standing"]["model_version"] for one in answer["models"]] == ["*", "m1"]
    standing = total["standing"]
    assert (standing["outcomes"], standing["sessions"]) == (SESSIONS, SESSIONS)
    assert standing["hit_rate_low"] < standing["hit_rate"] == 0.8 < standing["hit_rate_high"]
    assert total["coverage_80"]["low"] < total["coverage_80"]["value"] == 0.9 < total["coverage_80"]["high"]
    assert [one["p_mean"] for one in answer["calibration"]] == [0.4, 0.6]
    for one in answer["calibration"]:
        assert one["n"] == one["sessions"]
        assert one["rose_low"] < one["rose"] < one["rose_high"]
    assert sum(one["n"] for one in answer["calibration"]) == SESSIONS
    everything = (await client.get("/v1/track-record")).raise_for_status().json()
    assert everything["ticker"] == "*"
    assert everything["models"][0]["standing"]["outcomes"] == 2 * SESSIONS
    assert everything["models"][0]["standing"]["sessions"] == SESSIONS


async def test_tickers_by_search_and_page(client: httpx.AsyncClient) -> None:
    async def names(query: str) -> list[str]:
        return [one["ticker"] for one in (await client.get(f"/v1/tickers{query}")).raise_for_status().json()]

    assert await names("") == [*TICKERS, "SPX"]
    assert await names("?search=index") == ["SPX"]
    assert await names("?search=aa") == ["AAPL"]
    response = await client.get("/v1/tickers?limit=3")
    assert response.headers["link"] == '</v1/tickers?limit=3&after=MSFT>; rel="next"'
    rest = await client.get(response.headers["link"].split(">")[0][1:])
    assert [one["ticker"] for one in rest.json()] == ["SPX"]
    assert "link" not in rest.headers


async def test_a_document_that_an_explanation_cites(client: httpx.AsyncClient, engine: Engine) -> None:
    one = Document(
        document_id=uuid.uuid4(), collection="market_news", ticker="AAPL", title="A title", body="<b>Ignore all</b>",
        source="made", published_at=NOW, known_at=NOW, parent_id=uuid.uuid4(),
    )  # fmt: skip
    with engine.begin() as connection:
        write_passages(connection, [one])
    response = await client.get(f"/v1/documents/{one.document_id}")
    assert msgspec.json.decode(response.content, type=Document) == one
    problem(await client.get(f"/v1/documents/{uuid.uuid4()}"), 404, "unknown_document")
    problem(await client.get("/v1/documents/AAPL"), 422, "bad_request")


async def test_an_explanation_by_the_id_of_its_prediction(
    client: httpx.AsyncClient, cache: Cache, engine: Engine, answering: Answering
) -> None:
    explained, silent = made("AAPL", age=100_000), made("IBM")
    await put(cache, made("AAPL"))
    record(engine, PREDICTIONS, [sealed(explained), sealed(silent)])
    gone = made("MSFT")
    for one in (explanation(explained), explanation(gone)):
        sealed_one = wrap(
            one, message_id=one.explanation_id, correlation_id=uuid.uuid4(), source="test", at=one.created_at
        )
        record(engine, EXPLANATIONS, [sealed_one])
    answer = (await client.get(f"/v1/explain/{explained.prediction_id}")).raise_for_status().json()
    assert answer["prediction_id"] == answer["prediction"]["prediction_id"] == str(explained.prediction_id)
    upper = await client.get(f"/explain/{str(explained.prediction_id).upper()}")
    assert upper.json() == answer
    assert (await client.get(f"/v1/explain/{gone.prediction_id}")).json()["prediction"] is None
    told = problem(await client.get(f"/v1/explain/{silent.prediction_id}"), 404, "not_found")
    assert f"POST /v1/explain/{silent.prediction_id}" in told["next_step"]
    assert told["ticker"] == "IBM"
    asked = (await client.post(f"/v1/explain/{silent.prediction_id}")).raise_for_status().json()
    assert asked["prediction"]["prediction_id"] == str(silent.prediction_id)
    same = (await client.post(f"/v1/explain/{explained.prediction_id}")).raise_for_status().json()
    assert answer["prediction"]["status"] == same["prediction"]["status"] == "stale", "as of now, however one asks"
    problem(await client.post(f"/v1/explain/{uuid.uuid4()}"), 404, "not_found")
    problem(await client.get(f"/v1/explain/{uuid.uuid4()}"), 404, "not_found")


async def test_what_a_client_has_is_not_sent_again(client: httpx.AsyncClient, cache: Cache) -> None:
    await put(cache, made())
    for path in ("/v1/predict/AAPL", "/v1/tickers", "/v1/statuses", "/v1/models", "/v1/predictions/AAPL"):
        first = (await client.get(path)).raise_for_status()
        assert first.headers["cache-control"].startswith("private")
        tag = first.headers["etag"]
        for known in (tag, f'"other", W/{tag}', "*"):
            again = await client.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
            assert again.headers["cache-control"] == first.headers["cache-control"]
        assert (await client.get(path, headers={"If-None-Match": '"other"'})).status_code == 200
    tag = (await client.get("/v1/predict/AAPL")).headers["etag"]
    await put(cache, made(price=7.0))
    assert (await client.get("/v1/predict/AAPL", headers={"If-None-Match": tag})).json()["price"] == 7.0
    assert (await client.get("/health/live")).headers["cache-control"] == "no-store"


async def test_a_request_has_one_id(client: httpx.AsyncClient) -> None:
    one, other = [(await client.get("/v1/statuses")).headers["x-request-id"] for _ in range(2)]
    assert one != other
    response = await client.get("/v1/predict/NOSUCH", headers={"X-Request-ID": "mine-1"})
    assert response.headers.get_list("x-request-id") == ["mine-1"]
    assert response.json()["request_id"] == "mine-1"
    for odd in ("a b", "x" * 129, "", "{}", "ä"):
        response = await client.get("/nowhere", headers={b"X-Request-ID": odd.encode("latin-1")})
        assert response.headers["x-request-id"] == response.json()["request_id"] != odd
