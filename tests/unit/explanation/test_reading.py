"""Reading the answer of a language model while it is written."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskee.errors import PoisonError
from riskee.explanation.reading import LONGEST_ANSWER, AnswerReader


def _read(pieces: list[str]) -> list[tuple[str, str]]:
    reader = AnswerReader()
    return [pair for piece in pieces for pair in reader.feed(piece)]


def _cut(text: str, places: list[int]) -> list[str]:
    edges = [0, *sorted({place % (len(text) + 1) for place in places}), len(text)]
    return [text[begin:end] for begin, end in pairwise(edges)]


@given(
    st.dictionaries(st.text(), st.text()),
    st.lists(st.integers(0, 500)),
    st.sampled_from([None, 2]),
    st.booleans(),
)
def test_any_object_of_sentences_is_read_however_it_is_cut(
    answer: dict[str, str], places: list[int], indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(answer, indent=indent, ensure_ascii=ascii_only)
    if len(text) <= LONGEST_ANSWER:
        assert _read(_cut(text, places)) == [*answer.items()]


def test_a_sentence_is_there_with_its_last_letter() -> None:
    reader = AnswerReader()
    assert reader.feed('{"A": "It ro') == []
    assert reader.feed('se."') == [("A", "It rose.")]
    assert not reader.ended
    reader.feed("}")
    assert reader.ended
    assert reader.feed(" and more") == []


@pytest.mark.parametrize(
    "text",
    ["hello", "[1]", '"A"', '{"A": 3}', '{"A": {"B": "x"}}', '{"A": ["x"]}', "{A", '{"A" "B"', '{"A":"x" "B"',
     '{"A":"\\x"}'],
)  # fmt: skip
def test_anything_else_is_poison_at_its_first_wrong_sign(text: str) -> None:
    with pytest.raises(PoisonError):
        _read([*text])


@pytest.mark.parametrize("filler", [" ", "x", '\\"', "\\"])
def test_an_answer_without_end_is_cut_off(filler: str) -> None:
    with pytest.raises(PoisonError, match="characters"):
        _read(['{"A": "', *[filler] * (LONGEST_ANSWER + 1)])
