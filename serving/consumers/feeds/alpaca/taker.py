"""What the stream's messages do to the running bars, and what they say of trading."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from riskee.market.conditions import effect
from riskee.market.running_bars import MinuteBar, RunningBars, Trade
from riskee.messaging.messages import MarketState, MarketStatus
from serving.consumers.feeds.alpaca.wire import (
    CancelMessage,
    CorrectionMessage,
    Market,
    MinuteMessage,
    QuoteMessage,
    StatusMessage,
    TradeMessage,
    UpdatedMinuteMessage,
)

# Status codes of the two kinds of tapes. What is in neither set, such as an imbalance or a price indication, changes
# nothing; a quotation resumption comes before trading does.
_HALTS = frozenset({"2", "H", "P"})
_RESUMES = frozenset({"3", "T"})
# Bids come by the thousand; one now and then shows that the ticker lives.
_SIGN_OF_LIFE = timedelta(seconds=10)


@dataclass
class Taker:
    """Puts the messages where they belong. `doubtful` are tickers whose bars must be fetched again after a correction
    of a trade that is not known any more; `statuses` wait to be published."""

    bars: RunningBars
    doubtful: set[str] = field(default_factory=set)
    statuses: list[MarketStatus] = field(default_factory=list)
    _halted: dict[str, datetime] = field(default_factory=dict)
    _alive: dict[str, datetime] = field(default_factory=dict)

    def take(self, messages: Iterable[Market]) -> None:
        """All messages of a frame, in their order."""
        for message in messages:
            match message:
                case TradeMessage():
                    self._trade(message)
                case QuoteMessage():
                    self._sign_of_life(message)
                case MinuteMessage():
                    self._minute(message)
                case StatusMessage():
                    self._status(message)
                case CorrectionMessage() | CancelMessage():
                    self._amend(message)

    def _trade(self, message: TradeMessage) -> None:
        conditions = tuple(message.conditions or ())
        trade = Trade(
            (message.exchange, message.number), message.time, message.price, message.size, conditions, message.tape
        )
        # While a ticker is halted, odd lots and prints of earlier trades may still be reported.
        if self.bars.take_trade(message.symbol, trade) and effect(trade.conditions, trade.tape).price:
            self._traded(message.symbol, message.time)

    def _minute(self, message: MinuteMessage) -> None:
        bar = MinuteBar(
            start=message.time,
            open=message.open,
            high=message.high,
            low=message.low,
            close=message.close,
            volume=message.volume,
            revision=1 if isinstance(message, UpdatedMinuteMessage) else 0,
        )
        if self.bars.take_minute(message.symbol, bar):
            self._traded(message.symbol, message.time)

    def _sign_of_life(self, message: QuoteMessage) -> None:
        if (
            message.time - self._alive.get(message.symbol, datetime.min.replace(tzinfo=message.time.tzinfo))
            > _SIGN_OF_LIFE
        ):
            self._alive[message.symbol] = message.time
            self.bars.confirm(message.symbol, message.time)

    def _amend(self, message: CorrectionMessage | CancelMessage) -> None:
        if isinstance(message, CancelMessage):
            done = self.bars.cancel(message.symbol, (message.exchange, message.number), message.time)
        else:
            conditions = tuple(message.conditions or ())
            key, wrong = (message.exchange, message.number), (message.exchange, message.original)
            corrected = Trade(key, message.time, message.price, message.size, conditions, message.tape)
            done = self.bars.correct(message.symbol, wrong, corrected)
        if not done:
            self.doubtful.add(message.symbol)

    def _status(self, message: StatusMessage) -> None:
        if message.code in _HALTS:
            self._halted[message.symbol] = message.time
            self._tell(message.symbol, MarketState.HALTED, message.time, message.reason or message.message)
        elif message.code in _RESUMES:
            # The halt may have been told by an earlier process.
            self._halted.pop(message.symbol, None)
            self._tell(message.symbol, MarketState.OPEN, message.time, message.message)

    def begin(self, opens_at: datetime) -> None:
        """A session begins, and with it everything trades again but what is halted still."""
        for ticker in self._halted:
            self._tell(ticker, MarketState.HALTED, opens_at, "halted since before the open")

    def _traded(self, ticker: str, time: datetime) -> None:
        """A halted ticker that trades again was resumed, though the word was lost with a connection."""
        halted = self._halted.get(ticker)
        if halted is not None and time > halted:
            del self._halted[ticker]
            self._tell(ticker, MarketState.OPEN, time, "traded again")

    def _tell(self, ticker: str, state: MarketState, time: datetime, reason: str) -> None:
        self.statuses.append(
            MarketStatus(feed=self.bars.feed, state=state, data_time=time, ticker=ticker, reason=reason)
        )
