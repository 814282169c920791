"""Where each number stands: what predict says of feeds and tickers, and how long predict itself was not heard.

A prediction says at its making what is against it; what happens afterwards is known here. Nothing is passed off as
fresh on trust: until a predictor is heard, and once it is not, its numbers are flagged.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import msgspec

from riskee.clock import Clock
from riskee.messaging.messages import Flag, Prediction, PredictionFailed
from riskee.messaging.slots import SLOTS, slot_of
from riskee.messaging.standing import FeedStatus, StaleTickers
from riskee.messaging.statuses import Status, gravest

# Three beats of predict that did not come.
SILENT_AFTER_SECONDS = 3.0
_FLAGS = {flag.value for flag in Flag}


class Reason(NamedTuple):
    """A status, and since when it holds."""

    status: Status
    since: datetime


@dataclass(frozen=True)
class Number:
    """A prediction with all flags that hold now, the gravest status, and since when that holds, where it is known."""

    prediction: Prediction
    status: Status
    since: datetime | None = None


@dataclass(frozen=True)
class Notice:
    """What has become of some tickers' numbers, or of all (none named).

    `standing`: it holds until the next such notice. Otherwise something happened to each of the tickers, and holds
    until its next prediction.
    """

    reason: Reason
    tickers: tuple[str, ...] = ()
    standing: bool = True


def judged(prediction: Prediction, reasons: Sequence[Reason]) -> Number:
    """The prediction with what speaks against it. A reason that is no flag of a prediction makes it stale."""
    flags = dict.fromkeys(prediction.flags)
    for reason in reasons:
        flags[Flag(reason.status.value) if reason.status.value in _FLAGS else Flag.STALE] = None
    status = gravest([*prediction.flags, *(reason.status for reason in reasons)])
    since = next((reason.since for reason in reasons if reason.status is status), None)
    if len(flags) > len(prediction.flags):
        prediction = msgspec.structs.replace(prediction, flags=tuple(flags))
    return Number(prediction, status, since)


class Standings:
    """Told of all that predict says; asked about each number before it is shown."""

    def __init__(
        self, clock: Clock, monotonic: Callable[[], float], tickers: Callable[[], Iterable[str]] = tuple
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        # Those that a status of some slots is about.
        self._all_tickers = tickers
        never = Reason(Status.PREDICT_SILENT, clock.now())
        self._beats: list[FeedStatus | None] = [None] * SLOTS
        self._heard = [float("-inf")] * SLOTS
        self._last_heard = [never.since] * SLOTS
        self._shown = [never] * SLOTS
        # Of tickers: from when they are halted, and what happened since their last prediction.
        self._halted: dict[str, datetime] = {}
        self._silent: dict[str, Reason] = {}

    def reasons(self, prediction: Prediction) -> list[Reason]:
        """What speaks against a number besides its own flags."""
        ticker, slot = prediction.ticker, slot_of(prediction.ticker)
        reason = self._standing(slot)
        found = [] if reason.status is Status.OK else [reason]
        if reason.status is Status.OK and prediction.prediction_time < reason.since:
            found.append(Reason(Status.STALE, reason.since))
        if ticker in self._halted:
            found.append(Reason(Status.HALTED, self._halted[ticker]))
        if ticker in self._silent:
            found.append(self._silent[ticker])
        return found

    def _standing(self, slot: int) -> Reason:
        beat = self._beats[slot]
        if beat is None or self._monotonic() - self._heard[slot] > SILENT_AFTER_SECONDS:
            return Reason(Status.PREDICT_SILENT, self._last_heard[slot])
        return Reason(beat.status, beat.since)

    def predicted(self, prediction: Prediction) -> None:
        """A new prediction came: what happened before it counts no more."""
        self._silent.pop(prediction.ticker, None)

    def stands(self, standing: FeedStatus, at: datetime) -> list[Notice]:
        """A predictor says where the feed stands. Answers what changed."""
        for slot in standing.slots:
            self._beats[slot] = standing
            self._heard[slot] = self._monotonic()
            self._last_heard[slot] = self._clock.now()
        ours = {ticker for ticker in self._halted if slot_of(ticker) in standing.slots}
        halted = {ticker for ticker in standing.halted if slot_of(ticker) in standing.slots}
        resumed = ours - halted
        for ticker in resumed:
            del self._halted[ticker]
        began = halted - ours
        self._halted.update(dict.fromkeys(began, at))
        notices = [Notice(Reason(Status.HALTED, at), tuple(sorted(began)), standing=False)] if began else []
        # The last number of a ticker that resumes was made before, so it is an old one still.
        return [*notices, *self._fall_silent(sorted(resumed), Reason(Status.STALE, at)), *self.turn()]

    def stale(self, stale: StaleTickers) -> list[Notice]:
        """Tickers became stale."""
        return self._fall_silent(stale.tickers, Reason(Status.STALE, stale.since))

    def failed(self, failed: PredictionFailed, at: datetime) -> list[Notice]:
        """A ticker's newest quote gave no prediction."""
        return self._fall_silent([failed.ticker], Reason(failed.status, at))

    def _fall_silent(self, tickers: Sequence[str], reason: Reason) -> list[Notice]:
        self._silent.update(dict.fromkeys(tickers, reason))
        return [Notice(reason, tuple(tickers), standing=False)] if tickers else []

    def turn(self) -> list[Notice]:
        """Look at the clock. Answers what changed for all numbers, or for those of some predictors."""
        changed: defaultdict[Reason, set[int]] = defaultdict(set)
        for slot in range(SLOTS):
            reason = self._standing(slot)
            if reason != self._shown[slot]:
                self._shown[slot] = reason
                changed[reason].add(slot)
        return self._notices(changed)

    def current(self) -> list[Notice]:
        """Where all numbers stand, for whoever begins to listen."""
        standing: defaultdict[Reason, set[int]] = defaultdict(set)
        for slot, reason in enumerate(self._shown):
            standing[reason].add(slot)
        return self._notices(standing)

    def _notices(self, slots_of: Mapping[Reason, set[int]]) -> list[Notice]:
        if len(set(self._shown)) == 1:
            return [Notice(reason) for reason in slots_of]
        tickers: defaultdict[Reason, list[str]] = defaultdict(list)
        for ticker in self._all_tickers():
            for reason, slots in slots_of.items():
                if slot_of(ticker) in slots:
                    tickers[reason].append(ticker)
        return [Notice(reason, tuple(named)) for reason, named in tickers.items()]
