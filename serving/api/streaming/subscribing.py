"""What a client asks for: the same for WebSockets and server-sent events."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from riskee.errors import RiskeeError
from riskee.telemetry import STREAM_RESUMES
from serving.api.directory import Directory
from serving.api.hub import Hub
from serving.api.problems import ProblemError
from serving.api.standing import Standings
from serving.api.streaming.messages import CompleteMessage, ErrorMessage, Resume, SubscribedMessage
from serving.api.streaming.newest import Fates
from serving.api.streaming.outlet import Outlet
from serving.api.streaming.snapshots import Snapshots
from serving.api.streaming.update import ALL, Key, Kind, Update

# Snapshots that are read, and wait for a client, at once.
_BATCH = 64


@dataclass(frozen=True)
class Subscribing:
    """Meets requests."""

    hub: Hub
    directory: Directory
    snapshots: Snapshots
    standings: Standings
    most_tickers: int

    async def wanted(self, tickers: Sequence[str], already: Collection[str] = ()) -> list[str]:
        """The tickers in their proper form. Raises ProblemError for an unknown one, and for too many with those that a
        connection has already."""
        named = {ticker.strip().upper() for ticker in tickers}
        if len(named.union(already)) > self.most_tickers:
            raise ProblemError(
                HTTPStatus.BAD_REQUEST,
                "too_many_tickers",
                f"a connection may name {self.most_tickers} tickers at most",
                "subscribe to *, or share them among several connections",
            )
        return [ticker if ticker == ALL else await self.directory.predicted(ticker) for ticker in sorted(named)]

    async def subscribe(self, outlet: Outlet, wanted: Sequence[str], resume: Resume | None = None) -> None:
        """Begin to listen to these tickers, after what was missed of them or what is known of them.

        Raises RetryableError where neither the cache nor the database answers; then it listens to no more than before.
        """
        hub, added = self.hub, {*wanted} - outlet.listener.tickers
        resumed = resume is not None and hub.log.covers(resume)
        if resume is not None:
            STREAM_RESUMES.labels("resumed" if resumed else "anew").inc()
        # No turn of the loop lies between these: nothing is missed and nothing is sent twice.
        hub.subscribe(outlet.listener, wanted)
        if resume is not None and resumed:
            self.confirm(outlet, resume.sequence, resumed=True)
            for key, item in hub.log.missed(wanted, resume.sequence):
                outlet.listener.offer(key, item)
        else:
            self.confirm(outlet, hub.log.sequence)
            for notice in self.standings.current():
                outlet.listener.notify(Fates(hub.log.sequence, notice))
            try:
                await self._offer_snapshots(outlet, wanted)
            except RiskeeError:
                hub.unsubscribe(outlet.listener, added)
                self.confirm(outlet, hub.log.sequence)
                raise
        await self._complete(outlet)

    async def unsubscribe(self, outlet: Outlet, tickers: Collection[str]) -> None:
        """Listen to these no more. Of the others the client has all, and can resume."""
        self.hub.unsubscribe(outlet.listener, [ticker.strip().upper() for ticker in tickers])
        self.confirm(outlet, self.hub.log.sequence)
        await self._complete(outlet)

    def confirm(self, outlet: Outlet, sequence: int, *, resumed: bool = False) -> None:
        """Tell the client what it is subscribed to."""
        message = SubscribedMessage(sequence, tuple(sorted(outlet.listener.tickers)), self.hub.log.epoch, resumed)
        outlet.listener.offer(Key(Kind.SUBSCRIBED), Update(message))

    async def _complete(self, outlet: Outlet) -> None:
        await self.hub.say([outlet.listener], Key(Kind.COMPLETE), CompleteMessage)

    async def refuse(self, outlet: Outlet, problem: ProblemError) -> None:
        """Tell the client why not."""
        body = problem.body()
        await self.hub.say([outlet.listener], Key(Kind.ERROR), lambda sequence: ErrorMessage(sequence, body))

    async def _offer_snapshots(self, outlet: Outlet, wanted: Sequence[str]) -> None:
        """The last number of each ticker, in portions, each after the last was read by the client."""
        since = self.hub.log.sequence
        tickers = sorted({*wanted} - {ALL})
        if ALL in wanted:
            tickers = [info.ticker for info in await self.directory.infos() if not info.is_index]
        for batch in _batches(tickers):
            known = await self.snapshots.known(batch)
            for ticker in batch:
                key = Key(Kind.PREDICTION, ticker)
                # Of those that came since, this client has got an update.
                if self.hub.log.sequence_of(key) > since:
                    continue
                snapshot = self.snapshots.update(ticker, known.get(ticker))
                if snapshot is not None:
                    outlet.listener.offer(key, snapshot)
            await outlet.drained()
            if not outlet.connection.open:
                return


def _batches(tickers: Sequence[str]) -> Iterator[Sequence[str]]:
    return (tickers[start : start + _BATCH] for start in range(0, len(tickers), _BATCH))
