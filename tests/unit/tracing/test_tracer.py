"""What services tell their steps to: on, and off."""

import subprocess
import sys
import timeit
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from riskee.clock import FixedClock
from riskee.messaging.envelope import Codec, wrap
from riskee.messaging.messages import Quote
from riskee.settings import TracingSettings
from riskee.tracing import OFF, open_tracer
from riskee.tracing.hops import EVENT_PUBLISH, INGEST_PUBLISH, PREDICT_WAVE
from riskee.tracing.sending import SendingTracer
from tests.conftest import REPOSITORY
from tests.unit.tracing.ticks import AT, Kept, Tick

AAPL, IBM = Tick(uuid.uuid4(), "AAPL"), Tick(uuid.uuid4(), "IBM")


class Passing:
    """A clock on which a second passes whenever it is read."""

    def __init__(self) -> None:
        self._at = AT

    def now(self) -> datetime:
        self._at += timedelta(seconds=1)
        return self._at


def traced(ratio: float = 1.0) -> tuple[SendingTracer, Kept]:
    kept = Kept()
    return SendingTracer(kept, Passing(), ratio), kept


def test_each_tick_of_a_hop_has_a_span_of_its_own() -> None:
    tracer, kept = traced()
    with tracer.hop(PREDICT_WAVE, [AAPL, IBM]):
        assert kept.spans == []
    assert [span.trace for span in kept.spans] == [AAPL.quote_id, IBM.quote_id]
    first = kept.spans[0]
    assert (first.name, first.error, first.attributes) == (
        *("predict.wave", ""),
        {"riskee.ticker": "AAPL", "riskee.batch": 2},
    )
    assert first.parent_id == INGEST_PUBLISH.span_id(AAPL.quote_id)
    assert first.span_id == PREDICT_WAVE.span_id(AAPL.quote_id)
    assert (first.began, first.ended) == (AT + timedelta(seconds=1), AT + timedelta(seconds=2))


def test_a_trace_begins_when_the_quote_came() -> None:
    tracer, kept = traced()
    with tracer.hop(INGEST_PUBLISH, [AAPL], since=lambda tick: tick.received_at):
        pass
    assert (kept.spans[0].parent_id, kept.spans[0].began) == (None, AT)


def test_what_fails_is_told_with_its_error_and_goes_on_failing() -> None:
    tracer, kept = traced()
    with pytest.raises(KeyError), tracer.hop(EVENT_PUBLISH, [AAPL]):
        raise KeyError
    assert [span.error for span in kept.spans] == ["KeyError"]


def test_ticks_are_looked_at_before_the_step_that_may_use_them_up() -> None:
    tracer, kept = traced()
    ticks = [AAPL]
    with tracer.hop(EVENT_PUBLISH, (tick for tick in ticks)):
        ticks.clear()
    assert len(kept.spans) == 1


def test_a_tick_that_is_not_sampled_leaves_nothing() -> None:
    tracer, kept = traced(ratio=0.0)
    with tracer.hop(PREDICT_WAVE, [AAPL]):
        pass
    assert kept.spans == []


async def test_closing_hands_over_what_waits() -> None:
    tracer, kept = traced()
    await tracer.close()
    assert kept.closed


def never() -> Iterator[Tick]:
    raise AssertionError("nobody asked for ticks")
    yield AAPL


async def test_off_is_one_object_that_looks_at_nothing() -> None:
    tracer = open_tracer(TracingSettings(enabled=False), "predict", FixedClock(AT))
    assert tracer is OFF
    with tracer.hop(PREDICT_WAVE, never()):
        pass
    assert not tracer.samples(AAPL.quote_id)
    await tracer.close()


def test_off_costs_a_wave_less_than_to_pass_on_one_message(quote: Quote) -> None:
    codec = Codec(Quote)
    data = codec.encode(wrap(quote, message_id=quote.quote_id, correlation_id=quote.quote_id, source="test", at=AT))
    ticks = [quote] * 500

    def wave() -> None:
        with OFF.hop(PREDICT_WAVE, ticks):
            pass

    passed = min(timeit.repeat(lambda: codec.encode(codec.decode(data)), number=200, repeat=40))
    told = min(timeit.repeat(wave, number=200, repeat=40))
    assert told < passed


@pytest.fixture
def quote() -> Quote:
    return Quote(
        quote_id=AAPL.quote_id,
        feed="replay/1",
        ticker="AAPL",
        data_time=AT,
        received_at=AT,
        session_date=AT.date(),
        sequence=1,
        price=10.0,
        open=10.0,
        high=10.0,
        low=10.0,
        volume=1.0,
    )


_SERVICES = """
import sys
import serving.api.app, serving.consumers.ingest, serving.consumers.predict, serving.consumers.record
from riskee.clock import SystemClock
from riskee.settings import Settings
from riskee.tracing import open_tracer
settings = Settings()
open_tracer(settings.tracing, "api", SystemClock())
serving.api.app.create_app(settings)
heavy = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "opentelemetry.proto", "google.protobuf", "requests")
print(sorted(name for name in sys.modules if name.startswith(heavy)))
"""


def test_off_imports_no_sdk_and_no_exporter() -> None:
    """What else there is of OpenTelemetry is imported by FastAPI and by the client of Redis, whatever we do."""
    done = subprocess.run(
        [sys.executable, "-c", _SERVICES], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
