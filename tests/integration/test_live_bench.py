"""The measurement of the live path: a quick one, whole, from the command line; and what it must notice."""

import os
import subprocess
import sys
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from sqlalchemy import Engine, text

from riskee.features.definitions import WARM_UP_BARS
from riskee.features.kernel import FeatureState
from riskee.settings import Settings
from riskee.storage.client import LightClient
from riskee.storage.recent_bars import recent_bars
from serving.bench.floor import Floor, UsualFloor
from serving.bench.market import SESSIONS, fill
from serving.bench.plan import BASE_PRICE, MARKET
from serving.bench.result import Measured
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.integration
# The machine may be busy with anything else, which latency feels more than the processor's time.
MOST_CPU_RATIO, MOST_LATENCY_RATIO = 4.0, 25.0


@pytest.fixture(scope="module")
def quick() -> Measured:
    """What `riskee bench live --quick --json` says."""
    command = [sys.executable, "-m", "riskee", "bench", "live", "--quick", "--json"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RISKEE_")}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return msgspec.json.decode(done.stdout, type=Measured)


@pytest.mark.slow
def test_nothing_is_lost_and_every_effect_is_seen(quick: Measured) -> None:
    assert [load.target for load in quick.loads] == ["floor", "predict alone", "floor", "all services", "product"]
    for load in (*quick.loads, *quick.bursts, *quick.openings):
        assert load.lost == 0, load
        assert 0 < load.events <= load.quotes
    for load in (quick.loads[-1], *quick.bursts, *quick.openings):
        assert set(load.latency) == {"event", "stored", "redis", "database", "websocket"}
        assert all(each.count and 0 < each.p50 <= each.p99 <= each.most for each in load.latency.values())


@pytest.mark.slow
def test_the_product_is_within_sight_of_its_floor(quick: Measured) -> None:
    pair = quick.pair("predict alone", quick.loads[0].rate)
    assert pair
    load, floor = pair
    assert load.cpu_us["predict"] < MOST_CPU_RATIO * floor.cpu_us["floor"]
    assert load.latency["event"].p50 < MOST_LATENCY_RATIO * floor.latency["event"].p50


async def test_the_bare_floor_is_connected_as_the_product_is_and_the_usual_one_as_usual(settings: Settings) -> None:
    bare, usual = await Floor.connect(settings.nats), await UsualFloor.connect(settings.nats)
    try:
        assert isinstance(bare, LightClient)
        assert not isinstance(usual, LightClient)
    finally:
        await bare.close()
        await usual.close()


def test_a_made_market_gives_a_whole_state_at_once(engine: Engine) -> None:
    """Written as PostgreSQL's own bytes: a wrong width or unit would show here."""
    now = datetime.now(UTC)
    with engine.begin() as connection:
        market = fill(connection, 30, now)
        fill(connection, 30, now)
        counts = connection.execute(text("SELECT count(*), count(DISTINCT ticker) FROM market_data")).one()
        bars = recent_bars(connection, market.today, WARM_UP_BARS)
    assert tuple(counts) == (31 * SESSIONS, 31)
    state = FeatureState(bars, MARKET)
    assert np.isfinite(state.features(np.arange(len(bars.tickers)))).all()
    assert bars.close[:, -1] == pytest.approx(BASE_PRICE)
    assert bars.session[0, -1].item() < market.today < market.following[0]
