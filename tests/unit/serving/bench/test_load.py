"""What the load process is going to send."""

from datetime import UTC, datetime

import msgspec
import pytest

from riskee.messaging.subjects import QUOTE
from riskee.storage.bus import codec_of
from serving.bench.load import encoded
from serving.bench.plan import MARKET, Plan
from serving.bench.wire import publication
from tests.unit.serving.bench.test_latency import START, plan


def quotes_of(load: Plan) -> list[tuple[float, str, datetime, datetime]]:
    due, messages = encoded(load)
    bodies = [codec_of(QUOTE).decode(message.split(b"\r\n", 4)[4].removesuffix(b"\r\n")) for message in messages]
    return [
        (at, body.payload.ticker, body.payload.data_time, body.payload.received_at)
        for at, body in zip(due, bodies, strict=True)
    ]


def test_every_quote_carries_the_moment_at_which_it_is_due() -> None:
    for due, _, data_time, received_at in quotes_of(plan(3, 100, 12)):
        assert received_at == data_time == datetime.fromtimestamp(due, UTC)


def test_the_tickers_come_round_and_the_market_once_a_second() -> None:
    names = [ticker for _, ticker, _, _ in quotes_of(plan(3, 2, 6))]
    assert names == [MARKET, "T0000", "T0001", MARKET, "T0002", "T0000", MARKET, "T0001", "T0002"]


def test_a_round_tells_of_one_time_though_its_quotes_are_due_one_after_the_other() -> None:
    load = msgspec.structs.replace(plan(3, 100, 6), moments="round")
    told = [data_time for _, ticker, data_time, _ in quotes_of(load) if ticker != MARKET]
    assert len(set(told[:3])) == len(set(told[3:])) == 1
    assert told[0] < told[3]


def test_with_rate_zero_all_are_due_at_once() -> None:
    assert set(plan(4, 0, 4).due().tolist()) == {START}


@pytest.mark.parametrize("body", [b"{}", b"x" * 1000])
def test_the_bytes_are_natss_protocol(body: bytes) -> None:
    head, _, rest = publication("data.market.quote", "some-id", body).partition(b"\r\n")
    verb, subject, reply, header_size, whole_size = head.split()
    assert (verb, subject, reply) == (b"HPUB", b"data.market.quote", b"_INBOX.bench")
    header, payload = rest[: int(header_size)], rest[int(header_size) : int(whole_size)]
    assert header == b"NATS/1.0\r\nNats-Msg-Id: some-id\r\n\r\n"
    assert payload == body
    assert rest[int(whole_size) :] == b"\r\n"
