"""The walk-forward predictions themselves, for those who want to read them. Offline only."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import DTypeLike, NDArray

from riskee.model.dataset import TrainingSet
from riskee.model.evaluation import Forecast
from riskee.model.evidence import day_of
from riskee.model.walk_forward import Mask


@dataclass(frozen=True)
class PastForecast:
    """An out-of-fold prediction made at the close of `session`; returns are log returns to the next close."""

    ticker: str
    session: date
    expected_return: float
    p_up: float
    outcome: float


@dataclass(frozen=True)
class Backtest:
    """Out-of-fold predictions, ordered by session and ticker, as columns of little-endian numbers.

    Bytes, because half a million of them lie beside each candidate as JSON: `ticker` (int32) is a place in `tickers`,
    `session` (int32) days since 1970, the returns and the probability are float32.
    """

    tickers: tuple[str, ...]
    ticker: bytes
    session: bytes
    expected_return: bytes
    p_up: bytes
    outcome: bytes

    def __len__(self) -> int:
        return len(self.ticker) // 4

    def __iter__(self) -> Iterator[PastForecast]:
        numbers = [np.frombuffer(column, "<f4").tolist() for column in (self.expected_return, self.p_up, self.outcome)]
        places = (np.frombuffer(column, "<i4").tolist() for column in (self.ticker, self.session))
        for ticker, session, expected, p_up, outcome in zip(*places, *numbers, strict=True):
            yield PastForecast(self.tickers[ticker], day_of(session), expected, p_up, outcome)


def pack(data: TrainingSet, tested: Mask, forecast: Forecast) -> Backtest:
    """The forecast of the tested rows."""

    def column(values: NDArray[np.generic], kind: DTypeLike) -> bytes:
        return values.astype(kind).tobytes()

    return Backtest(
        data.tickers,
        column(data.ticker[tested], "<i4"),
        column(data.session[tested].astype("datetime64[D]").astype(np.int64), "<i4"),
        column(forecast.score * data.scale[tested], "<f4"),
        column(forecast.p_up, "<f4"),
        column(data.outcome[tested], "<f4"),
    )
