"""The units of work that predictors share: each partition of the tickers, and what is published undivided."""

from dataclasses import dataclass

from riskee.messaging.slots import SLOTS, partition_of, partition_subjects
from riskee.messaging.subjects import QUOTE


@dataclass(frozen=True)
class Unit:
    """A part of the work that one predictor does at a time; `partition` is None for what is published undivided."""

    partition: int | None
    partitions: int

    @property
    def name(self) -> str:
        return "undivided" if self.partition is None else f"{self.partition}-of-{self.partitions}"

    @property
    def subjects(self) -> tuple[str, ...]:
        """Where its quotes come."""
        return (QUOTE.name,) if self.partition is None else partition_subjects(self.partition, self.partitions)

    @property
    def slots(self) -> tuple[int, ...]:
        """The slots of its tickers, where it gets their quotes as the settings say."""
        if not self.answers:
            return ()
        return tuple(range(self.partition or 0, SLOTS, self.partitions))

    @property
    def answers(self) -> bool:
        """Whether jobs are for this unit: the quotes of their tickers come here, as the settings say."""
        return (self.partition is None) == (self.partitions == 1)

    def owns(self, ticker: str) -> bool:
        """Whether it predicts a ticker."""
        return self.partition is None or partition_of(ticker, self.partitions) == self.partition

    def durable(self, family: str) -> str:
        """The name of its durable for one kind of message: `predict-quotes`, or `predict-quotes-0-of-4`."""
        return family if self.partition is None else f"{family}-{self.name}"


def undivided(partitions: int) -> Unit:
    """The unit of what is published undivided, which is everything where there is one partition."""
    return Unit(None, partitions)


def divided(partitions: int) -> tuple[Unit, ...]:
    """The units of the partitions."""
    return tuple(Unit(partition, partitions) for partition in range(partitions))
