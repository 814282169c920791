"""What a reader before this one held of its durable: counted until all of it has come again."""


class Inheritance:
    """Told of every message that comes, and once of how many the server has delivered without an answer.

    What it had delivered by then comes again only where it was not answered: each of those counts.
    """

    def __init__(self) -> None:
        self._count: int | None = None
        self._last_place = 0
        self._given_up = False
        # Also before the count is known: the server may be quicker with a message than with its answer.
        self._come: set[int] = set()

    @property
    def known(self) -> bool:
        """Whether the server has said how many there are."""
        return self._count is not None

    @property
    def settled(self) -> bool:
        """Whether all have come, or nobody waits for them any more."""
        return self._given_up or (self._count is not None and len(self._come) >= self._count)

    def begin(self, count: int, last_place: int) -> None:
        """Hear that so many were delivered and not answered, none behind this place of the stream."""
        self._count, self._last_place = count, last_place
        self._come = {place for place in self._come if place <= last_place}

    def hear(self, place: int) -> None:
        """Hear of a message that has come, or one that has come again."""
        if self._count is None or place <= self._last_place:
            self._come.add(place)

    def give_up(self) -> None:
        """Count no more."""
        self._given_up = True
