"""Two replays of the same days give equal predictions, also when processes are killed meanwhile. Real processes."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from riskee.clock import SystemClock
from riskee.messaging.messages import Flag
from riskee.settings import ReplaySettings, Settings
from riskee.storage.bus import Bus
from riskee.storage.cache import Cache
from riskee.storage.feed_state import read_feed_state
from riskee.storage.replay import begin_pass, find_window
from riskee.storage.tables import predictions, quotes
from tests.integration.conftest import eventually
from tests.integration.live_data import TICKERS, Market, fill
from tests.integration.live_processes import LiveProcesses, live
from tests.integration.minute_data import write_minutes

pytestmark = pytest.mark.integration
SESSIONS = 25
MOMENTS = 4
MINUTES = 30
LONG = 150.0
# What says when and in which pass a prediction was made, and not what it says.
_OF_THE_PASS = {"prediction_id", "quote_id", "market_quote_id", "feed", "prediction_time", "as_of"}
Said = Mapping[tuple[str, Any], Mapping[str, Any]]


@pytest.fixture
def market(engine: Engine) -> Market:
    with engine.begin() as connection:
        return fill(connection)


def settings_of(wanted: ReplaySettings) -> dict[str, str]:
    names = ("first", "last", "session_seconds", "repeat", "minutes")
    values = {name: getattr(wanted, name) for name in names}
    return {f"RISKEE_FEED__REPLAY__{name.upper()}": str(value) for name, value in values.items() if value is not None}


def begin(engine: Engine, wanted: ReplaySettings) -> None:
    with engine.begin() as connection:
        begin_pass(connection, wanted, SystemClock())


def played(engine: Engine, wanted: ReplaySettings) -> tuple[int, date] | None:
    with engine.connect() as connection:
        state = read_feed_state(connection, find_window(connection, wanted).name)
    return (state.pass_number, state.session_date) if state else None


def recorded(engine: Engine, table: Any, number: int) -> int:
    with engine.connect() as connection:
        statement = select(func.count()).select_from(table).where(table.c.feed.like(f"%/{number}"))
        return int(connection.scalar(statement) or 0)


def said(engine: Engine, number: int) -> Said:
    """What was predicted in a pass, by ticker and time."""
    with engine.connect() as connection:
        rows = connection.execute(select(predictions).where(predictions.c.feed.like(f"%/{number}"))).mappings().all()
    found = {(row["ticker"], row["data_time"]): {k: row[k] for k in row if k not in _OF_THE_PASS} for row in rows}
    assert len(found) == len(rows), "one prediction for each quote"
    return found


async def reach(processes: LiveProcesses, engine: Engine, table: Any, number: int, rows: float) -> None:
    """Wait until so many rows of a pass are recorded."""

    def there() -> bool:
        processes.require_alive()
        return recorded(engine, table, number) >= rows

    await eventually(there, LONG)


async def test_a_replay_repeats_itself_whatever_is_killed(
    bus: Bus, cache: Cache, database_settings: Settings, engine: Engine, market: Market, tmp_path: Path
) -> None:
    days = [session.session_date for session in market.sessions[-SESSIONS:]]
    wanted = ReplaySettings(first=days[0], last=days[-1], session_seconds=0, repeat=False)
    expected = SESSIONS * MOMENTS * len(TICKERS)
    with live(database_settings, tmp_path, settings_of(wanted)) as processes:
        await reach(processes, engine, predictions, 1, expected)
    begin(engine, wanted)
    with live(database_settings, tmp_path, settings_of(wanted)) as processes:
        for name, place in (("predict", 0.2), ("ingest", 0.5), ("predict", 0.8)):
            await reach(processes, engine, quotes, 2, place * expected)
            processes.kill(name)
            processes.start(name)
        await reach(processes, engine, predictions, 2, expected)
        # The last session is noted as played once its end is on the bus.
        await eventually(lambda: played(engine, wanted) == (2, days[-1]))
    first, second = said(engine, 1), said(engine, 2)
    assert second == first
    assert {row["model_version"] for row in first.values()}


async def test_a_replay_of_minutes_repeats_itself(
    bus: Bus, cache: Cache, database_settings: Settings, engine: Engine, market: Market, tmp_path: Path
) -> None:
    sessions = market.sessions[-2:]
    folder = tmp_path / "minutes"
    write_minutes(folder, market, sessions, minutes=MINUTES)
    days = [session.session_date for session in sessions]
    wanted = ReplaySettings(first=days[0], last=days[-1], session_seconds=0, repeat=False, minutes=folder)
    # Also of the ticker that was not traded in the last minute: its bar at the close is final.
    expected = len(sessions) * MINUTES * len(TICKERS)
    with live(database_settings, tmp_path, settings_of(wanted)) as processes:
        await reach(processes, engine, predictions, 1, expected)
    begin(engine, wanted)
    with live(database_settings, tmp_path, settings_of(wanted)) as processes:
        await reach(processes, engine, quotes, 2, 0.6 * expected)
        processes.kill("ingest")
        processes.kill("predict")
        processes.start("predict")
        processes.start("ingest")
        await reach(processes, engine, predictions, 2, expected)
        # The last session is noted as played once its end is on the bus.
        await eventually(lambda: played(engine, wanted) == (2, days[-1]))
    first, second = said(engine, 1), said(engine, 2)
    assert second == first
    closes = {session.closes_at for session in sessions}
    for (ticker, moment), row in first.items():
        provisional = Flag.PROVISIONAL_BAR.value in row["flags"]
        assert provisional is (moment not in closes), (ticker, moment)
