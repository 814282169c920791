"""The last values of many rows: a new one is put beside the old ones, nothing is moved."""

from typing import Generic, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from riskee.features.market_history import Index

ValueT = TypeVar("ValueT", np.float64, np.int64)

# Values that a row takes before its kept ones are moved to the front again.
_ROOM = 64


class Rings(Generic[ValueT]):
    """The last `keep` values of `rows` rows, each with its own number of values so far; `filler` before the first."""

    def __init__(self, rows: int, keep: int, filler: ValueT) -> None:
        self._keep = keep
        self._filler: ValueT = filler
        self._values: NDArray[ValueT] = np.full((rows, keep + _ROOM), filler)
        # Where each row's next value goes.
        self._end = np.full(rows, keep, np.int64)

    def load(self, rows: Index, values: NDArray[ValueT]) -> None:
        """Begin anew with values (n, any), newest last."""
        kept = values[:, -self._keep :]
        self._values[rows, : self._keep] = self._filler
        self._values[rows, self._keep - kept.shape[1] : self._keep] = kept
        self._end[rows] = self._keep

    def forget(self, rows: Index) -> None:
        """Begin anew without values."""
        self._values[rows] = self._filler

    def push(self, rows: Index, values: NDArray[ValueT]) -> None:
        """Add the next value of each row, (n,); each row at most once."""
        full = rows[self._end[rows] == self._values.shape[1]]
        if len(full):
            self._values[full, : self._keep] = self._values[full, _ROOM:]
            self._end[full] = self._keep
        self._values[rows, self._end[rows]] = values
        self._end[rows] += 1

    def back(self, rows: Index, count: int | Index) -> NDArray[ValueT]:
        """The value (n,) that lies so far back in each row; 1 is the newest."""
        found: NDArray[ValueT] = self._values[rows, self._end[rows] - count]
        return found

    def window(self, rows: Index, count: int) -> NDArray[ValueT]:
        """The last `count` values (n, count) of each row, oldest first."""
        windows = sliding_window_view(self._values, count, axis=1)
        found: NDArray[ValueT] = windows[rows, self._end[rows] - count]
        return found

    def find(self, rows: Index, wanted: NDArray[ValueT]) -> Index:
        """How far back each wanted value (n, k) lies in its row, whose values ascend; 0 where it is not there."""
        row = rows[:, None]
        first = self._end[row] - self._keep
        # The number of values below the wanted one, bit by bit: a binary search of all at once.
        below = np.zeros(wanted.shape, np.int64)
        step = 1 << (self._keep.bit_length() - 1)
        while step:
            probe = np.minimum(below + step, self._keep)
            below = np.where(self._values[row, first + probe - 1] < wanted, probe, below)
            step >>= 1
        place = np.minimum(below, self._keep - 1)
        found = self._values[row, first + place] == wanted
        return np.where(found, self._keep - place, 0)
