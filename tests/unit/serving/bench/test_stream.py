"""The measurement of the stream: its clients read frames as they come, and its tables say what was measured."""

import msgspec
import pytest

from serving.bench import stream_report
from serving.bench.latency import Latency
from serving.bench.stream_crowd import frame, split
from serving.bench.stream_result import StreamLoad, StreamMeasured, StreamOptions, own_tickers
from tests.unit.serving.bench.made import measured as live_measured

SIZES = (0, 1, 125, 126, 65_535, 65_536, 70_000)


def framed(payload: bytes) -> bytes:
    """As a server does: not masked."""
    if len(payload) < 126:
        return bytes([0x81, len(payload)]) + payload
    if len(payload) < 65_536:
        return b"\x81\x7e" + len(payload).to_bytes(2) + payload
    return b"\x81\x7f" + len(payload).to_bytes(8) + payload


@pytest.mark.parametrize("piece", [1, 7, 4096, 1 << 20])
def test_frames_are_read_however_they_are_cut(piece: int) -> None:
    payloads = [bytes([number]) * size for number, size in enumerate(SIZES)]
    data, left, found = b"".join(map(framed, payloads)), b"", []
    for start in range(0, len(data), piece):
        frames, left = split(left + data[start : start + piece])
        found += frames
        if piece == 1 and len(found) == 4:
            break  # byte by byte the long ones take too long
    assert found == [(1, payload) for payload in payloads[: len(found)]]
    assert len(found) == (4 if piece == 1 else len(SIZES))


def test_a_client_masks_what_it_asks() -> None:
    short, long = frame(b"x" * 10), frame(b"y" * 300)
    assert (short[:2], short[6:]) == (b"\x81\x8a", b"x" * 10)
    assert (long[:4], long[8:]) == (b"\x81\xfe\x01\x2c", b"y" * 300)


def test_each_ticker_has_as_many_clients() -> None:
    tickers = [str(number) for number in range(100)]
    asked = [ticker for client in range(50) for ticker in own_tickers(client, tickers, 10)]
    assert {asked.count(ticker) for ticker in tickers} == {5}
    options = StreamOptions(clients=5000, rate=10_000, seconds=20)
    assert (options.audience, options.publications) == (500, 400)


def load(target: str, deaf: int, p99: float, cpu: float) -> StreamLoad:
    return msgspec.convert(
        {
            "target": target, "clients": 5000, "deaf": deaf, "published": 400, "expected": 200_000,
            "deliveries": 199_999, "a_second": 10_001.0, "fallen": 0, "cpu_us": cpu, "connect_seconds": 3.0,
            "kib": 29.0, "kib_after": 30.0, "slow_ended": deaf, "closed": 0, "clients_cpu": 0.2,
            "latency": Latency(count=199_999, p50=5.0, p95=50.0, p99=p99, p999=120.0, most=130.0),
        },
        StreamLoad,
        from_attributes=True,
    )  # fmt: skip


def test_the_deaf_are_judged_only_where_something_could_wait_for_them() -> None:
    options = StreamOptions(clients=100, rate=50, deaf=5)
    quiet = msgspec.structs.replace(load("product", 5, 10.0, 1.0), published=options.publications, slow_ended=0)
    measured = StreamMeasured(machine=live_measured().machine, options=options, loads=[quiet], seconds=1.0, others=0.0)
    for published, expected in ((options.publications, (None, stream_report.TOO_LITTLE)), (400, (False, ""))):
        loads = [msgspec.structs.replace(quiet, published=published)]
        found = stream_report.targets(msgspec.structs.replace(measured, loads=loads))
        assert [(t.met, t.note) for t in found if t.what == "of the 5, closed"] == [expected]


def test_the_tables_say_what_was_missed() -> None:
    versions = dict.fromkeys(("uvicorn", "uvloop", "nats-py"), "1.0")
    beside = msgspec.structs.replace(load("product", 20, 260.0, 16.0), deliveries=200_003, fallen=3)
    measured = StreamMeasured(
        machine=msgspec.structs.replace(live_measured().machine, packages=versions),
        options=StreamOptions(),
        loads=[load("floor", 0, 40.0, 10.0), load("product", 0, 100.0, 15.0), beside],
        seconds=100.0,
        others=0.0,
    )
    found = {target.what: (target.measured, target.met) for target in stream_report.targets(measured)}
    assert found == {
        "5,000 clients, deliveries": (10_001.0, True),
        "from publication to receipt, p99": (100.0, True),
        "beside 20 that never read, p99": (260.0, False),
        "the same p99 against without them": (2.6, False),
        "of the 20, closed": (20, True),
        "memory of a connection": (30.0, True),
        "CPU of a delivery, against a bare broadcast": (1.5, True),
        "deliveries that did not come": (1, False),
        "deliveries twice or out of order": (3, False),
    }
    page = stream_report.markdown(measured)
    assert "| product | 20 | 200,003 | 200,000 | 3 |" in page
    assert msgspec.json.decode(msgspec.json.encode(measured), type=StreamMeasured) == measured
