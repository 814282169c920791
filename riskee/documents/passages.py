"""Long texts as passages that the embedding models read whole."""

from riskee.embedding.word_pieces import WordPieces
from riskee.explanation.digitless import sentences

OVERLAP = 32
"""Word pieces at most that a passage repeats of the one before, in whole sentences: what `it` and `that` refer to."""


def passages(text: str, limit: int, pieces: WordPieces) -> list[str]:
    """Passages of at most `limit` word pieces, in order, that together hold every sentence of the text.

    They begin and end between sentences; only a sentence that is longer than a passage is cut, between words.
    """
    parts, counts = _parts(text, limit, pieces)
    found: list[str] = []
    first = 0
    while first < len(parts):
        last, total = first, 0
        while last < len(parts) and total + counts[last] <= limit:
            total += counts[last]
            last += 1
        found.append(" ".join(parts[first:last]))
        first = _overlapping(counts, first, last, limit) if last < len(parts) else last
    return found


def _parts(text: str, limit: int, pieces: WordPieces) -> tuple[list[str], list[int]]:
    """The sentences, in place of those that are too long their parts, and the word pieces of each."""
    whole = sentences(text)
    counts = pieces.counts(whole)
    if all(count <= limit for count in counts):
        return whole, counts
    parts: list[str] = []
    for sentence, count in zip(whole, counts, strict=True):
        parts += [sentence] if count <= limit else [part.strip() for part in pieces.cut(sentence, limit)]
    return parts, pieces.counts(parts)


def _overlapping(counts: list[int], first: int, last: int, limit: int) -> int:
    """Where the passage after `first:last` begins: it goes back for a few sentences, but always reaches further."""
    begin, repeated = last, 0
    while begin - 1 > first and repeated + counts[begin - 1] <= min(OVERLAP, limit - counts[last]):
        begin -= 1
        repeated += counts[begin]
    return begin
