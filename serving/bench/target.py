"""A bound, and what was measured."""

import msgspec


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A bound and what was measured, in `unit`; None: not measured in this run, `note` says where it is. `detail` says
    what it was made of."""

    what: str
    bound: float
    unit: str
    measured: float | None
    at_least: bool = False
    note: str = ""
    detail: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better than the bound; below 1 it is missed."""
        if self.measured is None:
            return None
        better, worse = (self.measured, self.bound) if self.at_least else (self.bound, self.measured)
        return round(better / worse, 2) if worse else None

    @property
    def met(self) -> bool | None:
        if self.measured is None:
            return None
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound
