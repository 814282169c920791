"""A company's quarterly reports, as arrays."""

from dataclasses import dataclass

import numpy as np

from riskee.market.bars import Dates, Floats


@dataclass(frozen=True)
class Reports:
    """One company's reports, ascending by date, each date once; every array has the shape (n,).

    `known_at` is when a report's date was known, in UTC. The EPS are in currency, NaN where they are not known.
    """

    date: Dates
    known_at: Dates
    eps_estimate: Floats
    eps_reported: Floats

    def __post_init__(self) -> None:
        if {array.shape for array in (self.known_at, self.eps_estimate, self.eps_reported)} != {self.date.shape}:
            raise ValueError("the arrays of Reports share the shape (n,)")

    def known_days(self) -> Dates:
        """The first day (n,) that begins when the date is known already, as datetime64[D]."""
        day = self.known_at.astype("datetime64[D]")
        return day + (day < self.known_at)


NO_REPORTS = Reports(
    np.empty(0, "datetime64[D]"), np.empty(0, "datetime64[us]"), np.empty(0, np.float64), np.empty(0, np.float64)
)
