"""What the owner of a unit consumes: its quotes, and the jobs for its tickers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from riskee.messaging.messages import ModelType, PredictJob, Quote
from riskee.messaging.subjects import PREDICT_EARNINGS, PREDICT_NORMAL, QUOTE, Subject
from riskee.storage.bus import Bus, codec_of
from riskee.storage.inbox import Durable
from riskee.storage.succession import succeed
from serving.consumers.consumption import Consumption
from serving.consumers.partitions import Unit, divided, undivided

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from riskee.messaging.envelope import Envelope
    from serving.consumers.predict import Predict

_QUOTES = "predict-quotes"
# More than the 5,000 tickers of one predictor: where more comes than can be predicted, a batch has several quotes of a
# ticker, of which the latest is. Not many more: what is overtaken costs its reading. And as many again on their way.
_LARGEST_BATCH = 8192
_MOST_PENDING = 2 * _LARGEST_BATCH
_JOBS: tuple[tuple[str, Subject[PredictJob], ModelType], ...] = (
    ("predict-normal", PREDICT_NORMAL, "normal"),
    ("predict-earnings", PREDICT_EARNINGS, "earnings"),
)
_NUMBERED = r"-\d+-of-\d+"


def consumptions(unit: Unit, predict: Predict) -> list[Consumption[Any]]:
    """The consumptions of a unit. Every unit that answers hears every job, and answers those for its tickers."""
    jobs = [_jobs(unit, predict, *kind) for kind in _JOBS] if unit.answers else []
    quotes = Consumption(
        quotes_of(unit), codec_of(QUOTE), predict.on_quotes, max_batch=_LARGEST_BATCH, chapter=_session_of
    )
    return [quotes, *jobs]


def _session_of(quote: Quote) -> tuple[str, date]:
    """A session begins with the last bars of the one before."""
    return quote.feed, quote.session_date


def _jobs(
    unit: Unit, predict: Predict, family: str, subject: Subject[PredictJob], model_type: ModelType
) -> Consumption[PredictJob]:
    async def on_jobs(batch: Sequence[Envelope[PredictJob]]) -> None:
        own = [envelope for envelope in batch if unit.owns(envelope.payload.ticker)]
        if own:
            await predict.on_jobs(own, model_type)

    return Consumption(_jobs_of(unit, family, subject), codec_of(subject), on_jobs)


def quotes_of(unit: Unit) -> Durable:
    """The durable of a unit's quotes."""
    return Durable(unit.durable(_QUOTES), unit.subjects[0], max_pending=_MOST_PENDING, also=unit.subjects[1:])


def _jobs_of(unit: Unit, family: str, subject: Subject[PredictJob]) -> Durable:
    return Durable(unit.durable(family), subject.name)


async def take_over(bus: Bus, partitions: int) -> None:
    """Go on where the durables of another number of partitions had come to, and remove them.

    Raises RetryableError where the bus does not answer.
    """
    await succeed(bus, [quotes_of(unit) for unit in divided(partitions)], _QUOTES + _NUMBERED)
    answering = [unit for unit in (undivided(partitions), *divided(partitions)) if unit.answers]
    for family, subject, _ in _JOBS:
        await succeed(bus, [_jobs_of(unit, family, subject) for unit in answering], f"{family}({_NUMBERED})?")
