"""Who does which part of the work. Every process computes it for itself from what all say they hold."""

from collections.abc import Collection, Mapping, Sequence


def shares(units: Sequence[str], holds: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """Divide units of work among members, given what each holds now.

    Every unit has one member, and nobody has two more than another. A member keeps what it holds as far as its share
    goes, so no more moves than must: what a dead one held, or what a new one is due. Where two hold the same unit, the
    first of the order keeps it. Applied to its own answer it changes nothing.
    """
    if not holds:
        return {}
    order = sorted(holds, key=lambda member: (-len(set(units).intersection(holds[member])), member))
    smallest, larger = divmod(len(units), len(order))
    room = {member: smallest + (place < larger) for place, member in enumerate(order)}
    left = dict.fromkeys(units)
    divided: dict[str, list[str]] = {}
    for member in order:
        divided[member] = [unit for unit in left if unit in holds[member]][: room[member]]
        for unit in divided[member]:
            del left[unit]
    rest = list(left)
    for member in order:
        missing = room[member] - len(divided[member])
        divided[member] += rest[:missing]
        del rest[:missing]
    return divided
