"""The product as a user meets it: `riskee up`, one tick followed to its end, a question, a crash, `down`, `up`."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest
import redis
from websockets.asyncio.client import connect

ROOT = Path(__file__).parents[2]
TICKERS = ("AAPL", "IBM")
UP_SECONDS = 900
# `riskee status` while a process is down.
ONE_IS_DOWN = 3

# What a busy machine answers late is not left out.
PATIENT = {"RISKEE_REDIS__TIMEOUT_SECONDS": "10", "RISKEE_EXPLANATION__RETRIEVAL__TIMEOUT_SECONDS": "10"}
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(UP_SECONDS + 300)]


class Product:
    """A running product in a home of its own, driven through its command line."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environ = {**os.environ, **PATIENT, "RISKEE_HOME": str(home), "RISKEE_FEED__REPLAY__SESSION_SECONDS": "6"}

    def run(self, *arguments: str, timeout: float = 120, codes: tuple[int, ...] = (0,)) -> str:
        """Standard output of `riskee …`; an unexpected exit code shows all it said."""
        command = [sys.executable, "-m", "riskee", *arguments]
        done = subprocess.run(
            command, check=False, env=self.environ, cwd=ROOT, capture_output=True, text=True, timeout=timeout
        )
        assert done.returncode in codes, f"riskee {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @property
    def endpoints(self) -> dict[str, Any]:
        return dict(json.loads((self.home / "run" / "endpoints.json").read_text()))

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.endpoints['api']['port']}"

    def processes(self) -> list[dict[str, Any]]:
        return list(json.loads(self.run("status", "--json", codes=(0, ONE_IS_DOWN))))

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        url = self.endpoints["database"]["url"].replace("postgresql+psycopg://", "postgresql://")
        with psycopg.connect(url) as connection:
            return connection.execute(statement, parameters).fetchall()


def _left_behind(home: Path) -> list[str]:
    return [
        " ".join(process.info["cmdline"])
        for process in psutil.process_iter(["cmdline", "environ"])
        if (process.info["environ"] or {}).get("RISKEE_HOME") == str(home) and process.pid != os.getpid()
    ]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    home = tmp_path_factory.mktemp("product")
    blobs = ROOT / ".riskee" / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    (home / "blobs").symlink_to(blobs)  # half a gigabyte that need not be fetched again
    product = Product(home)
    try:
        product.run("up", timeout=UP_SECONDS)
        yield product
    finally:
        product.run("down")
    assert _left_behind(product.home) == []


async def _predictions(url: str, wanted: set[str]) -> dict[str, list[dict[str, Any]]]:
    """Two updates of each wanted ticker, as the WebSocket delivers them."""
    seen: dict[str, list[dict[str, Any]]] = {ticker: [] for ticker in wanted}
    async with asyncio.timeout(120), connect(url) as socket:
        await socket.send(json.dumps({"type": "subscribe", "tickers": sorted(wanted)}))
        while any(len(messages) < 2 for messages in seen.values()):
            message = json.loads(await socket.recv())
            if message["type"] == "prediction":
                seen[message["prediction"]["ticker"]].append(message["prediction"])
    return seen


def _eventually(check: Any, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := check()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def test_a_tick_reaches_websocket_redis_and_database(product: Product) -> None:
    seen = asyncio.run(_predictions(product.api.replace("http", "ws") + "/stream", set(TICKERS)))
    for ticker in TICKERS:
        first, second = seen[ticker][:2]
        assert second["data_time"] >= first["data_time"], "updates arrive as the replay advances"
        identity = second["prediction_id"]
        rows = _eventually(
            lambda identity=identity: product.query(
                "SELECT p.price, p.p_up, p.price_p10, p.price_p90, p.model_version, q.price, b.open, b.high, b.low, "
                "b.close FROM predictions p JOIN quotes q USING (quote_id) JOIN bars b ON b.ticker = p.ticker "
                "AND b.resolution = '1d' AND b.timestamp::date = p.session_date WHERE p.prediction_id = %s",
                identity,
            )
        )
        assert len(rows) == 1, "one row for each prediction"
        price, p_up, p10, p90, version, quoted, *bar = rows[0]
        assert (price, p_up, version) == (second["price"], second["p_up"], second["model_version"])
        assert price == quoted
        assert price in bar, "the price is one of the replayed bar's open, high, low and close"
        assert p10 < price < p90


def test_redis_holds_the_latest_prediction(product: Product) -> None:
    client = redis.Redis.from_url(product.endpoints["redis"]["url"], decode_responses=True)
    body = json.loads(str(client.hget("pred:AAPL", "body")))
    assert body["ticker"] == "AAPL"
    assert 0 < int(str(client.ttl("pred:AAPL"))) <= 300
    client.close()


def test_predict_answers_a_full_prediction(product: Product) -> None:
    answer = httpx.get(f"{product.api}/predict/AAPL", timeout=60).raise_for_status().json()
    expected = {
        "ticker", "data_time", "as_of", "horizon", "expected_return", "predicted_price", "p_up", "confidence",
        "interval", "model_version", "feature_set", "feed", "flags",
    }  # fmt: skip
    assert expected <= set(answer)
    assert "replay" in answer["flags"]
    assert answer["interval"]["p10"] < answer["interval"]["p50"] < answer["interval"]["p90"]


def test_explain_answers_with_sources(product: Product) -> None:
    started = time.monotonic()
    answer = json.loads(product.run("explain", "AAPL", "--json"))
    print(f"explained in {time.monotonic() - started:.1f} s by {answer['generator']}, verified {answer['verified']}")
    assert len(answer["text"]) > 80
    assert answer["sources"]
    assert all(source["published_at"] <= answer["data_time"] for source in answer["sources"])


def test_bad_requests_say_what_to_do(product: Product) -> None:
    answer = httpx.get(f"{product.api}/predict/NOSUCH", timeout=60)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("application/problem+json")


@pytest.mark.parametrize("name", ["predict", "nats", "postgres", "redis"])
def test_a_killed_child_comes_back(product: Product, name: str) -> None:
    before = next(process for process in product.processes() if process["name"] == name)
    rows = product.query("SELECT count(*) FROM predictions")[0][0]
    os.kill(before["pid"], signal.SIGKILL)
    started = time.monotonic()

    def back() -> bool:
        now = next(process for process in product.processes() if process["name"] == name)
        return bool(now["state"] == "RUNNING" and now["pid"] != before["pid"])

    assert _eventually(back, seconds=60)
    print(f"{name} was back after {time.monotonic() - started:.1f} s")
    assert _eventually(lambda: _more_predictions(product, rows), seconds=60), "predictions go on"


def _more_predictions(product: Product, rows: int) -> bool:
    try:
        return bool(product.query("SELECT count(*) FROM predictions")[0][0] > rows)
    except psycopg.OperationalError:  # the database is the one that was killed
        return False


def test_down_and_up_keep_the_data(product: Product) -> None:
    before = product.query("SELECT count(*) FROM predictions")[0][0]
    product.run("down")
    assert _left_behind(product.home) == []
    started = time.monotonic()
    product.run("up")
    print(f"second up took {time.monotonic() - started:.1f} s")
    assert product.query("SELECT count(*) FROM predictions")[0][0] >= before
