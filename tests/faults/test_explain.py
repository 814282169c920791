"""explain killed while requests come: each that was accepted gets one explanation, without a language model too."""

import asyncio
import uuid
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec
import pytest
from nats.aio.subscription import Subscription
from sqlalchemy import select

from riskee.messaging.envelope import Envelope, wrap
from riskee.messaging.explanations import ExplainRequest
from riskee.messaging.messages import Prediction
from riskee.messaging.subjects import EXPLAIN, PREDICTION_UPDATED
from riskee.storage.bus import Outgoing, codec_of
from riskee.storage.tables import explanations
from tests.conftest import REPOSITORY
from tests.faults.accounting import unexplained
from tests.faults.arena import SERVICES, Setup
from tests.faults.conftest import full_only, load
from tests.faults.driver import until_accepted
from tests.faults.recovery import SERVICE_SECONDS, Recovery
from tests.faults.reporting import Result
from tests.faults.scenario import Scenario, play

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
Holds = Callable[[Result], None]
REQUESTS_PER_SECOND = 5


def _share_blobs(home: Path) -> None:
    """The embedder was fetched for the checkout before."""
    blobs = REPOSITORY / ".riskee" / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    (home / "blobs").symlink_to(blobs)


async def _ask(scenario: Scenario, subscription: Subscription, accepted: list[uuid.UUID]) -> uuid.UUID:
    """Ask for an explanation of the next prediction that comes by; which one it is."""
    prediction = msgspec.json.decode((await subscription.next_msg(timeout=60)).data, type=Envelope[Prediction]).payload
    identity, now = uuid.uuid4(), scenario.clock.now()
    request = ExplainRequest(prediction=prediction, requested_at=now)
    envelope = wrap(request, message_id=identity, correlation_id=identity, source="faults", at=now)
    await until_accepted(scenario.bus, [Outgoing(EXPLAIN.name, str(identity), codec_of(EXPLAIN).encode(envelope))])
    accepted.append(prediction.prediction_id)
    return prediction.prediction_id


async def _request(scenario: Scenario, accepted: list[uuid.UUID], enough: asyncio.Event) -> None:
    """Ask now and then, until it is enough."""
    subscription = await scenario.bus.client.subscribe(PREDICTION_UPDATED.name)
    while not enough.is_set():
        await _ask(scenario, subscription, accepted)
        await asyncio.sleep(1 / REQUESTS_PER_SECOND)
    await subscription.unsubscribe()


async def _explained(scenario: Scenario) -> list[uuid.UUID]:
    """Which predictions have an explanation that is stored; a row each."""
    return [row[0] for row in await asyncio.to_thread(scenario.observer.rows, select(explanations.c.prediction_id))]


async def _until_explained(scenario: Scenario, wanted: Collection[uuid.UUID]) -> None:
    """Wait until all of these are explained and stored."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while missing := {*wanted} - {*await _explained(scenario)}:
        assert loop.time() - began < 90, f"explain does not come back: {len(missing)} of {len(wanted)} are missing"
        await asyncio.sleep(0.05)


async def _recovery(scenario: Scenario, accepted: list[uuid.UUID]) -> Recovery:
    """Kill explain, and wait for what was asked for before, and for one request that was made after."""
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(scenario.arena.kill, "explain")
    began, before = loop.time(), {*accepted}
    subscription = await scenario.bus.client.subscribe(PREDICTION_UPDATED.name)
    asked = await _ask(scenario, subscription, accepted)
    await subscription.unsubscribe()
    await _until_explained(scenario, {asked})
    flowing = loop.time() - began
    await _until_explained(scenario, before)
    return Recovery(flowing, loop.time() - began)


@full_only
async def test_a_killed_explain(holds: Holds) -> None:
    """Recovery is the time until all that was asked for before the fault, and a request after it, is explained."""
    accepted: list[uuid.UUID] = []
    explained: list[uuid.UUID] = []

    async def kill(scenario: Scenario) -> None:
        enough = asyncio.Event()
        requests = asyncio.create_task(_request(scenario, accepted, enough))
        for _ in range(5):
            await asyncio.sleep(scenario.random.uniform(1, 3))
            scenario.recoveries.append(await _recovery(scenario, accepted))
        enough.set()
        await requests
        await _until_explained(scenario, accepted)
        explained.extend(await _explained(scenario))

    # Nothing is asked but by this test.
    quiet = {"RISKEE_EXPLANATION__INITIATIVE__PER_MINUTE": "0"}
    setup = Setup(services=(*SERVICES, "explain"), prepare=_share_blobs, environ=quiet)
    holds(await play("kill -9 of explain", load(100), kill, setup=setup, bar=SERVICE_SECONDS))
    assert unexplained(accepted, explained) == []
