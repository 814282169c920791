"""The measurement of the transport moves every message, and says what each way costs."""

import pytest
from sqlalchemy import Engine, func, select

from riskee.settings import Settings
from riskee.storage import keys, tables
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from serving.bench.plan import ticker_name
from serving.bench.transport import Transport

pytestmark = pytest.mark.integration
COUNT = 600


async def test_it_moves_every_message(
    bus: Bus, cache: Cache, database_settings: Settings, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    await Transport(database_settings, bus, cache, COUNT).all()
    lines = [line for line in capsys.readouterr().out.splitlines() if "/s  CPU" in line]
    assert [line[:38].strip() for line in lines] == [
        "publish quotes",
        "receive, decode, acknowledge",
        "encode, cache, publish",
        "all that predict does around it",
        "record quotes, 512 a transaction",
        "record quotes, 4096 a transaction",
        "record predictions, 512 a transaction",
        "record predictions, 4096 a transaction",
    ]
    for stream in ("MARKET_DATA", "PREDICTIONS"):
        assert (await bus.jetstream.stream_info(stream)).state.messages == COUNT
    for table in (tables.quotes, tables.predictions):
        with engine.connect() as connection:
            assert connection.scalar(select(func.count()).select_from(table)) == COUNT
    last = {"ticker": ticker_name(COUNT - 1)}
    assert all([await cache.body(key, **last) for key in (keys.QUOTE, keys.PREDICTION, keys.FEATURES)])
