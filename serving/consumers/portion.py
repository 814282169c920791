"""The part of the market that one state is of."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from riskee.messaging.messages import Quote


def _all(_ticker: str) -> bool:
    return True


async def _all_recorded(_take: Callable[[Quote], None], _answered: bool) -> None:
    pass


@dataclass(frozen=True)
class Portion:
    """Whose quotes come here, besides the market's, and how to read those that came and are not in the database yet (as
    `Unrecorded.read`)."""

    owns: Callable[[str], bool] = _all
    unrecorded: Callable[[Callable[[Quote], None], bool], Awaitable[None]] = _all_recorded


EVERYTHING = Portion()
"""Everyone's, of a database that has all."""
