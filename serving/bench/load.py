"""The load process: `python -m serving.bench.load` reads a plan from its input and answers with what it sent.

Open loop: the times of sending are fixed beforehand, and every quote carries its own as `received_at`, so that whatever
comes of it tells since when it was due.
"""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import numpy as np

from riskee.ids import quote_id
from riskee.messaging.envelope import Codec, wrap
from riskee.messaging.messages import Quote
from riskee.messaging.slots import quote_subject
from riskee.settings import load_settings
from serving.bench.plan import BASE_PRICE, MARKET, Plan, Sent, ticker_name
from serving.bench.wire import Sender, publication

# An index tells its value once a second.
MARKET_SECONDS = 1.0
# Time between the last preparation and the first quote.
_READY_SECONDS = 0.05


def _quote(plan: Plan, ticker: str, number: int, due: float, told: float) -> Quote:
    price = BASE_PRICE * (1 + 0.0005 * (number * 7919 % 41 - 20))
    data_time = datetime.fromtimestamp(told, UTC)
    return Quote(
        quote_id=quote_id(plan.feed, ticker, data_time, number),
        feed=plan.feed,
        ticker=ticker,
        data_time=data_time,
        received_at=datetime.fromtimestamp(due, UTC),
        session_date=plan.session_date,
        sequence=number,
        price=price,
        open=BASE_PRICE,
        high=BASE_PRICE * 1.011,
        low=BASE_PRICE * 0.989,
        volume=1000.0 * (number + 1),
    )


def _scheduled(plan: Plan) -> Iterator[tuple[float, Quote]]:
    """The quotes and when they are due: the market's first and once a second, each before those of its moment."""
    due, told = plan.due().tolist(), plan.data_times().tolist()
    market_due = due[0]
    for number, (at, moment) in enumerate(zip(due, told, strict=True)):
        if at >= market_due:
            yield at, _quote(plan, MARKET, number, at, moment)
            market_due += MARKET_SECONDS
        yield at, _quote(plan, ticker_name(number % plan.tickers), number, at, moment)


def encoded(plan: Plan) -> tuple[list[float], list[bytes]]:
    """The due times and the bytes to send."""
    codec = Codec(Quote)
    dues, messages = [], []
    for due, quote in _scheduled(plan):
        envelope = wrap(
            quote, message_id=quote.quote_id, correlation_id=quote.quote_id, source="bench", at=quote.received_at
        )
        dues.append(due)
        subject = plan.subject if plan.partitions == 1 else quote_subject(quote.ticker, plan.partitions, MARKET)
        messages.append(publication(subject, str(quote.quote_id), codec.encode(envelope)))
    return dues, messages


def send(plan: Plan, url: str) -> Sent | None:
    """Carry out the plan; None, and nothing is sent, where the preparation took until after its start."""
    due, messages = encoded(plan)
    sender = Sender.connect(url)
    if plan.paced and time.time() > plan.start - _READY_SECONDS:
        return None
    cpu = time.process_time()
    sent = sender.send_paced(messages, due) if plan.paced else sender.send_windowed(messages)
    spent = time.process_time() - cpu
    sender.await_answers(len(messages), 30)
    sender.close()
    late = (np.array(sent) - np.array(due)) * 1000 if plan.paced else np.zeros(1)
    p50, p99 = np.percentile(late, [50, 99]).round(3).tolist()
    return Sent(
        sent=len(messages),
        accepted=sender.answers - sender.refused,
        refused=sender.refused,
        first=sent[0],
        last=sent[-1],
        lag_ms=(p50, p99, round(float(late.max()), 3)),
        cpu_seconds=spent,
    )


if __name__ == "__main__":
    done = send(msgspec.json.decode(sys.stdin.buffer.read(), type=Plan), load_settings().nats.url.get_secret_value())
    sys.stdout.buffer.write(msgspec.json.encode(done))
