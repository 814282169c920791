"""ingest itself, playing a replay, killed in the midst of its sessions: nothing is left out and nothing told twice."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from riskee.clock import SystemClock
from riskee.market.quotes import QuoteGate
from riskee.market.replay import expand, feed_name
from riskee.messaging.messages import Quote
from riskee.storage.tables import feed_state
from serving.consumers.ingest import screen
from tests.faults.arena import Arena, Setup
from tests.faults.conftest import full_only, load
from tests.faults.entry import Change
from tests.faults.observing import LONG_AGO
from tests.faults.poison import Poisoner
from tests.faults.recovery import SERVER_SECONDS, SERVICE_SECONDS
from tests.faults.reporting import Result
from tests.faults.scenario import Scenario, play

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
Holds = Callable[[Result], None]
SESSIONS = 120
SETUP = Setup(
    services=("predict", "record", "ingest"),
    environ={
        "RISKEE_FEED__REPLAY__SESSIONS": str(SESSIONS),
        "RISKEE_FEED__REPLAY__SESSION_SECONDS": "0.5",
        "RISKEE_FEED__REPLAY__REPEAT": "false",
    },
)


class Replay:
    """What ingest has to say: every quote of the replayed sessions, by its derived id, once."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self.poisoner: Poisoner | None = None
        self.accepted: dict[uuid.UUID, Quote] = {}
        self.last_round: list[Quote] = []
        # A replay plays in lockstep: no quote waits behind another of its ticker, so each is predicted.
        self.due: set[uuid.UUID] = set()
        # How far ingest has come only it knows; its clock is right.
        self.told = LONG_AGO
        market = arena.market
        for session, bars in zip(market.sessions[-SESSIONS:], market.bars[-SESSIONS:], strict=True):
            told = [expand(bar, session, feed_name(1)) for bar in bars]
            gate = QuoteGate({bar.ticker for bar in bars}, session.closes_at - session.opens_at)
            for ticks in zip(*told, strict=True):
                quotes = [envelope.payload for envelope in screen(ticks, gate, SystemClock())[0]]
                self.accepted.update((quote.quote_id, quote) for quote in quotes)
                self.due |= {quote.quote_id for quote in quotes[1:]}
                self.last_round = quotes

    async def run(self) -> None:
        """Wait until the last session was played."""
        while await asyncio.to_thread(self._played) != self._arena.market.sessions[-1].session_date:
            await asyncio.sleep(0.5)

    def stop(self) -> None:
        """ingest ends with its last session."""

    def _played(self) -> date | None:
        try:
            with self._arena.engine.connect() as connection:
                day: date | None = connection.scalar(select(feed_state.c.session_date))
        except SQLAlchemyError:
            return None
        return day


@full_only
@pytest.mark.parametrize(
    ("name", "times", "bar"),
    [
        ("ingest", 5, SERVICE_SECONDS),
        ("predict", 5, SERVICE_SECONDS),
        ("nats", 2, SERVER_SECONDS),
        ("postgres", 2, SERVER_SECONDS),
    ],
)
async def test_a_replay_that_is_disturbed(name: str, times: int, bar: float, holds: Holds) -> None:
    async def kill(scenario: Scenario) -> None:
        await scenario.strike(lambda: scenario.arena.kill(name), times)

    holds(await play(f"kill -9 of {name} in a replay", load(), kill, setup=SETUP, bar=bar, source=Replay))


@full_only
async def test_predictions_that_die_with_predict_are_missed() -> None:
    """A defect: predict acknowledges quotes before it has published what it made of them."""

    async def kill(scenario: Scenario) -> None:
        await scenario.strike(lambda: scenario.arena.kill("predict"), 3)

    setup = replace(SETUP, changes={"predict": Change(broken=("ack before publishing",))})
    result = await play("defect: ack before publishing", load(), kill, setup=setup, source=Replay, defective=True)
    assert any("quotes without their prediction" in violation for violation in result.violations), result.violations
