"""A made-up measurement."""

from serving.bench.drain import Drain
from serving.bench.kernel import Timing
from serving.bench.latency import Latency
from serving.bench.limits import Limits
from serving.bench.loads import Load, Turn
from serving.bench.machine import Machine
from serving.bench.options import Options
from serving.bench.result import Measured
from serving.bench.targets import (
    ALL_SERVICES,
    FLOOR,
    PREDICT_BESIDE,
    RECORD,
    RECORD_BESIDE,
    UPDATE_STEPS,
    USUAL_FLOOR,
    WAVE_STEPS,
    WHOLE_WAVE_STEPS,
)
from serving.bench.targets import PREDICT as PREDICTED


def latency(p99: float) -> Latency:
    return Latency(count=1000, p50=p99 / 3, p95=p99 / 2, p99=p99, p999=p99 * 2, most=p99 * 3)


def load(target: str, beside: str, p99: float, cpu: dict[str, float], rate: int = 1000) -> Load:
    seen = {
        name: latency(p99 + extra) for extra, name in enumerate(("event", "stored", "websocket", "redis", "database"))
    }
    return Load(
        target=target,
        beside=beside,
        tickers=1000,
        rate=rate,
        quotes=6000,
        repeats=3,
        events=5990,
        missing={"event": 0},
        refused=0,
        latency=seen,
        cpu_us=cpu,
        lag_ms=0.3,
        void=False,
        turns=[Turn(p99=p99, cpu_us=cpu)] * 3,
    )


def measured(predict_p99: float = 5.0, drained: float = 9000.0) -> Measured:
    """The product beside the floor at two rates, backlogs, kernel and limits."""
    loads = []
    for rate in (100, 1000):
        loads += [
            load("product", "", predict_p99, {"predict": 140.0, "nats": 80.0, "postgres": 30.0}, rate),
            load("floor", ALL_SERVICES, 3.0, {"floor": 100.0, "nats": 50.0}, rate),
            load(ALL_SERVICES, "floor", predict_p99, {"predict": 140.0, "nats": 80.0, "postgres": 30.0}, rate),
        ]
    drains = [
        Drain(
            what=PREDICTED, messages=100, done=100, missing=0, a_second=rate, cpu_us={"predict": 110.0}, first_after=4.0
        )
        for rate in (drained - 100, drained, drained + 100)
    ]
    for what, spent in ((FLOOR, 100.0), (USUAL_FLOOR, 125.0)):
        drains.append(Drain(what=what, messages=100, done=100, missing=0, a_second=9000, cpu_us={"floor": spent}))
    for what, rate in ((RECORD, 15_000), (PREDICT_BESIDE, 7400), (RECORD_BESIDE, 6900)):
        drains.append(Drain(what=what, messages=200, done=200, missing=0, a_second=rate, cpu_us={"record": 30.0}))
    kernel = [Timing(step, 5000, 10.0, 2.0) for step in (*WAVE_STEPS, *WHOLE_WAVE_STEPS)]
    kernel.append(Timing(UPDATE_STEPS[0], 5000, 0.5, 0.1))
    return Measured(
        machine=Machine(
            processor="made up",
            cores=2,
            memory_gib=24,
            system="Linux",
            python="3.11",
            packages={"numpy": "2"},
            commit="abc",
            load=(0.1, 2.0),
        ),
        model="150 trees of 8 leaves",
        sessions=300,
        options=Options(),
        loads=loads,
        bursts=[load("product", "", 60.0, {"predict": 140.0}, 0)],
        drains=drains,
        kernel=kernel,
        limits=Limits(
            nats_messages=30_000,
            nats_ms=1,
            redis_operations=40_000,
            redis_ms=0.3,
            latest_ms=2,
            all_latest_ms=20,
            day_ms=2,
            api_requests=900,
            api_ms=30,
            hit_rate=1.0,
        ),
        memory_mib={"predict": 200},
    )
