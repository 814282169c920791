"""What is written to the cache, in the form in which the server's script takes it.

All of a wave travels as one argument, because redis-py spends 20 to 40 us on a command and one on each argument
(docs/adr/0041, docs/adr/0135).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Self

import msgspec

from riskee.storage.keys import Key

Part = str | date | datetime
Value = str | bytes | int | float

Hash = tuple[int | str, ...]
"""Seconds to live, name, then fields and values in turn. Texts only: Lua's MessagePack knows no bytes, and Lua would
round a number."""

PLACE = "place"
# HSET and EXPIRE for each hash. Its keys are not declared, which only a cluster needs.
# Hashes with a place stay as they are where the first of them shows a later one of the same feed: a process that stood
# still for a while must not put old numbers over new ones. Places of one feed are equally long and sort by their text.
WRITE = """
local function overtaken(place, key)
    local ours, there = place[2], redis.call('HGET', key, 'place')
    return there and #there == #ours and string.sub(there, 1, #place[1]) == place[1] and there > ours
end
for _, entry in ipairs(cmsgpack.unpack(ARGV[1])) do
    local place, hashes = entry[1], entry[2]
    if not place or not overtaken(place, hashes[1][2]) then
        for _, hash in ipairs(hashes) do
            redis.call('HSET', unpack(hash, 2))
            redis.call('EXPIRE', hash[2], hash[1])
        end
    end
end
"""
# Few enough to leave other clients their turn within a millisecond or two.
_ENTRIES_AT_ONCE = 100


class Place(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where in its feed something is that the cache shows, as the field `place`: the feed, then seconds of Unix and the
    sequence."""

    feed: str
    text: str

    @classmethod
    def of(cls, feed: str, moment: datetime, sequence: int) -> Self:
        """The place of a moment after 1970, to the microsecond; of one moment the higher sequence is the later."""
        return cls(feed, f"{feed} {moment.timestamp():017.6f} {sequence:012d}")


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Hashes that are written together.

    With a place, which the first of them shows, they are not written over one of the same feed that has a later place.
    """

    place: Place | None
    hashes: tuple[Hash, ...]

    @classmethod
    def of(cls, key: Key, parts: Mapping[str, Part], fields: Mapping[str, Value], place: Place | None = None) -> Self:
        """One hash: `fields` are set under `key.of(**parts)`, which then lives for the key's time."""
        shown = (PLACE, place.text) if place else ()
        texts = (part if isinstance(part, str) else text_of(part) for pair in fields.items() for part in pair)
        return cls(place, ((key.seconds, key.of(**parts), *shown, *texts),))


def text_of(part: Value) -> str:
    """What the cache shows of a value."""
    return part.decode() if isinstance(part, bytes) else str(part)


_encode = msgspec.msgpack.Encoder().encode


def arguments(entries: Sequence[Entry]) -> Iterator[bytes]:
    """The entries as arguments of the script, in several calls of it."""
    for start in range(0, len(entries), _ENTRIES_AT_ONCE):
        yield _encode(entries[start : start + _ENTRIES_AT_ONCE])


def count_of(entries: Iterable[Entry]) -> int:
    """How many hashes these are."""
    return sum(len(entry.hashes) for entry in entries)
