"""The writer, with a language model that says what the test wants."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from riskee.breaker import Breaker
from riskee.embedding.embedder import Vectors
from riskee.errors import RetryableError
from riskee.explanation.writer import Writer
from tests.unit.explanation.examples import facts

REASON = "The trend of the last months pushed the forecast up."
GOOD = {
    "reason": REASON,
    "A": "AAPL dropped and lost in the session.",
    "B": "The average of the close rose above the long-term average.",
    "C": "The US unemployment rate rose against the quarter before.",
}
BAD = {"reason": REASON, "A": "AAPL gained 99% in the session.", "B": "You should buy AAPL.", "C": "It will rise."}


class Script:
    """Answers with the next line of a script; an error is raised."""

    model = "scripted"

    def __init__(self, *lines: object) -> None:
        self._lines: Iterator[object] = iter(lines)
        self.asked = 0
        self.seconds = 0.0

    async def answer(
        self, system: str, prompt: str, schema: dict[str, Any], *, max_tokens: int, seed: int, seconds: float
    ) -> str:
        self.asked += 1
        self.seconds = seconds
        line = next(self._lines)
        if isinstance(line, Exception):
            raise line
        return line if isinstance(line, str) else json.dumps(line)


class BagOfWords:
    """Vectors by the letters' trigrams: alike texts are near."""

    name, dimensions = "trigrams", 997

    def encode(self, texts: list[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in enumerate(texts):
            for place in range(len(text) - 2):
                vectors[
                    row, sum(ord(letter) * 31**power for power, letter in enumerate(text[place : place + 3])) % 997
                ] += 1
        normed: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return normed


def _writer(script: Script, now: list[float] | None = None) -> Writer:
    clock = now or [0.0]
    return Writer(script, BagOfWords(), Breaker(lambda: clock[0]), lambda: clock[0])


async def test_true_sentences_are_kept() -> None:
    draft = await _writer(Script(GOOD)).write(facts(), 20)
    assert draft is not None
    assert draft.reason == REASON
    assert set(draft.reports) == {"A", "B", "C"}


async def test_false_sentences_are_dropped_and_the_rest_kept() -> None:
    draft = await _writer(Script(GOOD | {"B": BAD["B"], "reason": "Volatility pushed the forecast up."})).write(
        facts(), 20
    )
    assert draft is not None
    assert draft.reason == ""
    assert set(draft.reports) == {"A", "C"}


async def test_a_sentence_on_another_document_is_dropped() -> None:
    swapped = GOOD | {"A": GOOD["C"], "C": GOOD["A"]}
    draft = await _writer(Script(swapped)).write(facts(), 20)
    assert draft is not None
    assert set(draft.reports) == {"B"}


async def test_a_draft_of_falsehoods_is_asked_for_once_more() -> None:
    script = Script(BAD, GOOD)
    assert await _writer(script).write(facts(), 20) is not None
    assert script.asked == 2


async def test_falsehoods_twice_leave_the_template() -> None:
    script = Script(BAD, BAD)
    assert await _writer(script).write(facts(), 20) is None
    assert script.asked == 2


async def test_garbage_and_errors_leave_the_template() -> None:
    assert await _writer(Script("no json", RetryableError("down"))).write(facts(), 20) is None


async def test_of_an_answer_that_was_cut_off_the_whole_sentences_are_kept() -> None:
    whole = json.dumps(GOOD)
    draft = await _writer(Script(whole[: whole.index("above the long")])).write(facts(), 20)
    assert draft is not None
    assert (draft.reason, set(draft.reports)) == (REASON, {"A"})


async def test_the_second_try_has_only_the_time_that_is_left() -> None:
    script = Script(BAD, GOOD)
    await Writer(script, BagOfWords(), Breaker(lambda: 0.0), iter([0.0, 0.0, 14.0]).__next__).write(facts(), 20)
    assert script.seconds == 6


async def test_without_time_nothing_is_asked() -> None:
    script = Script()
    assert await _writer(script).write(facts(), 1) is None
    assert script.asked == 0


async def test_after_failures_the_model_rests() -> None:
    now = [0.0]
    script = Script(*[RetryableError("down")] * 4, GOOD)
    writer = _writer(script, now)
    for _ in range(3):
        assert await writer.write(facts(), 20) is None
    assert script.asked == 3
    now[0] = 61.0
    assert await writer.write(facts(), 20) is None
    assert script.asked == 4
    now[0] = 130.0
    assert await writer.write(facts(), 20) is not None
    assert writer.breaker.allows()


async def test_a_failed_warm_up_harms_nothing() -> None:
    writer = _writer(Script(RetryableError("loading"), GOOD))
    await writer.warm_up()
    assert await writer.write(facts(), 20) is not None
