"""Passages: never too long, nothing lost, cut between sentences."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskee.documents.passages import OVERLAP, passages
from riskee.embedding.word_pieces import LONGEST_WORD
from riskee.explanation.digitless import sentences

from .letters import letters

PIECES = letters()
LIMITS = st.integers(LONGEST_WORD, 300)


def pieces_of(text: str) -> int:
    return PIECES.counts([text])[0]


@settings(deadline=None)
@given(st.lists(st.integers(1, 60), max_size=40), LIMITS)
def test_every_word_is_there_in_its_order(lengths: list[int], limit: int) -> None:
    numbers = iter(range(10**6))
    text = " ".join(" ".join(f"w{next(numbers)}" for _ in range(words)) + "." for words in lengths)
    found = passages(text, limit, PIECES)
    assert list(dict.fromkeys(" ".join(found).replace(".", "").split())) == text.replace(".", "").split()
    assert all(0 < pieces_of(passage) <= limit for passage in found)


@settings(deadline=None)
@given(st.text(max_size=3000), LIMITS)
def test_no_text_makes_a_passage_too_long_or_loses_a_character(text: str, limit: int) -> None:
    found = passages(text, limit, PIECES)
    assert all(pieces_of(passage) <= limit for passage in found)
    lost = Counter("".join(text.split())) - Counter("".join("".join(found).split()))
    assert not lost


def test_a_passage_ends_with_a_sentence_and_repeats_little_of_the_one_before() -> None:
    text = " ".join(f"Sentence {number} is here." for number in range(100))
    found = passages(text, 120, PIECES)
    assert len(found) > 5
    for before, after in pairwise(found):
        assert before.endswith(".")
        assert after.startswith("Sentence ")
        repeated = [sentence for sentence in sentences(after) if sentence in sentences(before)]
        assert repeated
        assert pieces_of(" ".join(repeated)) <= OVERLAP


def test_a_short_text_is_one_passage_and_an_empty_one_none() -> None:
    assert passages("All is well.", 200, PIECES) == ["All is well."]
    assert passages("", 200, PIECES) == []


def test_a_sentence_without_end_is_cut_between_words() -> None:
    found = passages("word " * 200, 100, PIECES)
    assert {word for passage in found for word in passage.split()} == {"word"}


def test_a_limit_that_a_word_may_exceed_is_refused() -> None:
    with pytest.raises(ValueError, match="word pieces"):
        PIECES.cut("word", LONGEST_WORD - 1)
