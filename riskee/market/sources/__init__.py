"""Where daily bars come from. A source reads; what it read is checked and stored elsewhere."""

from typing import Protocol

from riskee.market.frames import RawBars


class Source(Protocol):
    """Anything that yields daily bars: a file, a package, a vendor."""

    def read(self) -> RawBars:
        """All bars of the source. Raises PoisonError when there is nothing usable, naming cause and remedy; a vendor
        also RetryableError where it does not answer, FatalError where it refuses us.
        """
        ...
