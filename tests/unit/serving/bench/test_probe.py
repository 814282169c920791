"""When the probe reads what has come."""

import asyncio
import time
from typing import Any

import msgspec
import pytest

from serving.bench import probe
from serving.bench.plan import ticker_name
from serving.bench.sampling import Body
from tests.unit.serving.bench.test_latency import plan


async def test_nothing_is_read_while_something_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    load = msgspec.structs.replace(plan(1, 100, 20), start=time.time() - 10)  # all are due, and late
    happened: list[str] = []
    events = probe.Watched()

    def body(due: float) -> Body:
        happened.append("read")
        return msgspec.convert({"ticker": ticker_name(0), "prediction_time": due}, Body, strict=False)

    async def come() -> None:
        for due in load.due():
            events.arrived.append((time.time(), float(due)))
            happened.append("came")
            await asyncio.sleep(0.02)

    wanted = probe.Wanted(plan=load, subject="e", stream="E", everything=False, patience=30)
    monkeypatch.setattr(probe, "_event_body", body)
    # So long that a pause of this process is no quiet.
    monkeypatch.setattr(probe, "_QUIET_SECONDS", 2.0)
    await asyncio.wait_for(asyncio.gather(come(), probe._finish(wanted, events, probe.Watched(), [])), 60)
    assert happened == ["came"] * 20 + ["read"] * 20


async def test_what_never_comes_is_awaited_no_longer_than_patience_lasts() -> None:
    load = msgspec.structs.replace(plan(1, 100, 1), start=time.time())
    wanted = probe.Wanted(plan=load, subject="e", stream="E", everything=False, patience=0.6)
    nothing: Any = probe.Watched()
    await asyncio.wait_for(probe._finish(wanted, nothing, nothing, []), 60)
