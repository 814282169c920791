"""Standings on clocks that the test moves."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from riskee.messaging.slots import SLOTS
from riskee.messaging.standing import FeedStatus
from riskee.messaging.statuses import Status
from serving.api.hub import Hub
from serving.api.standing import Notice, Standings

ALL_SLOTS = tuple(range(SLOTS))
START = datetime(2026, 1, 5, 12, tzinfo=UTC)


@dataclass
class World:
    """Standings, the time, and a predictor that speaks when it is told to."""

    tickers: tuple[str, ...] = ("AAPL", "IBM", "MSFT")
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.standings = Standings(self, lambda: self.seconds, lambda: self.tickers)

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def beat(
        self,
        status: Status = Status.OK,
        since: datetime = START,
        halted: tuple[str, ...] = (),
        slots: tuple[int, ...] = ALL_SLOTS,
    ) -> list[Notice]:
        standing = FeedStatus(feed="replay/1", status=status, since=since, halted=halted, slots=slots)
        return self.standings.stands(standing, self.now())


def made_hub() -> Hub:
    """A hub whose predictor was heard, with nothing against any number."""
    world = World()
    world.beat()
    return Hub(world.standings)
