"""The API against its own OpenAPI document: schemathesis asks every route for what the document allows, and for what it
does not. `make contract` runs 2,000 cases and more, this file alone a short form (docs/adr/0127)."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from riskee.access.api_keys import make_key
from riskee.access.grants import Grant
from riskee.settings import Settings
from riskee.storage.api_keys import StoredKey, add_key
from riskee.storage.cache import Cache
from riskee.storage.database import make_engine
from riskee.storage.recording import PREDICTIONS, record
from tests.conftest import REPOSITORY
from tests.integration.answering import Answering, answering
from tests.integration.conftest import TICKERS, all_ok, eventually, serving
from tests.integration.made_predictions import made, put, sealed

__all__ = ["answering"]
pytestmark = [pytest.mark.integration, pytest.mark.slow]
FULL = os.environ.get("RISKEE_TEST_CONTRACT") == "full"
# Cases for each operation and phase, and of all phases together at the least.
EXAMPLES, FEWEST = (100, 2000) if FULL else (4, 300)
CONFIGURATION = REPOSITORY / "tests" / "integration" / "schemathesis.toml"


@pytest.fixture
async def guarded(
    beating: None, answering: Answering, cache: Cache, known: Settings
) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """The API with a prediction of each ticker, asking for credentials; and a key for everything."""
    predictions = [made(ticker) for ticker in TICKERS]
    await put(cache, *predictions)
    key = make_key("")
    engine = make_engine(known.database.url, 1)
    record(engine, PREDICTIONS, [sealed(prediction) for prediction in predictions])
    with engine.begin() as connection:
        add_key(connection, StoredKey(key.key_id, "test", key.digest, frozenset(Grant), datetime.now(UTC)))
    engine.dispose()
    unlimited = 10_000_000
    api = known.api.model_copy(
        update={
            # Of IBM nobody computes a fresh one.
            "fresh_timeout_seconds": 0.2,
            "guard": known.api.guard.model_copy(update={"require_credentials": True}),
            "limits": known.api.limits.model_copy(
                update={"key_per_minute": unlimited, "address_per_minute": unlimited}
            ),
        }
    )
    async with serving(known.model_copy(update={"api": api})) as client:
        client.headers["Authorization"] = f"Bearer {key.token}"
        await eventually(lambda: all_ok(client))
        yield client, key.token


@pytest.mark.timeout(1800)
async def test_every_answer_is_as_the_document_says(guarded: tuple[httpx.AsyncClient, str], tmp_path: Path) -> None:
    client, token = guarded
    report = tmp_path / "report.json"
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).parent / "schemathesis",
        *("--config-file", CONFIGURATION, "run", f"{client.base_url}/openapi.json"),
        *("--header", f"Authorization: Bearer {token}"),
        *("--max-examples", str(EXAMPLES), "--seed", "1", "--no-color", "--request-timeout", "60"),
        *("--report", "json", "--report-json-path", report),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-20_000:]
    assert json.loads(report.read_text())["test_cases"]["generated"] >= FEWEST
