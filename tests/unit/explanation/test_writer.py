"""The writer, with a language model that says what the test wants."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import numpy as np
import pytest

from riskee.breaker import Breaker
from riskee.embedding.embedder import Vectors
from riskee.errors import RetryableError
from riskee.explanation import template
from riskee.explanation.gate import Gate, Turn
from riskee.explanation.progress import Progress
from riskee.explanation.prompt import Draft
from riskee.explanation.writer import Writer, Writing
from riskee.messaging.explanations import ExplainProgress
from riskee.storage.llm import Piece
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
    """Answers with the next line of a script, some letters at a time; an error is raised at its place in a list."""

    model = "scripted"

    def __init__(self, *lines: object) -> None:
        self._lines: Iterator[object] = iter(lines)
        self.asked = 0
        self.closed = 0

    async def answer(
        self, system: str, prompt: str, schema: dict[str, Any], *, max_tokens: int, seed: int
    ) -> AsyncGenerator[Piece, None]:
        self.asked += 1
        await asyncio.sleep(0)  # others take their turn, as with a server
        line = next(self._lines)
        try:
            for part in line if isinstance(line, list) else [line]:
                if isinstance(part, Exception):
                    raise part
                text = part if isinstance(part, str) else json.dumps(part)
                for place in range(0, len(text), 7):
                    yield Piece(text[place : place + 7])
            yield Piece("", tokens_in=400, tokens_out=60)
        finally:
            self.closed += 1


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


class Told:
    """Hears the progress."""

    def __init__(self, show_drafts: bool = False) -> None:
        self.heard: list[ExplainProgress] = []
        self.progress = Progress(uuid.UUID(int=1), "AAPL", self._hear, lambda: 0.0, show_drafts)

    async def _hear(self, told: ExplainProgress) -> None:
        self.heard.append(told)

    @property
    def sentences(self) -> list[str]:
        return [told.sentence for told in self.heard if told.sentence]


def _writer(script: Script, now: list[float] | None = None) -> Writer:
    clock = now or [0.0]
    return Writer(script, BagOfWords(), Breaker(lambda: clock[0]), Gate(1, 8), lambda: clock[0])


async def _write(writer: Writer, seconds: float = 20, told: Told | None = None) -> Writing:
    return await writer.write(facts(), seconds, Turn(urgent=True), (told or Told()).progress)


async def _draft(*lines: object) -> Draft | None:
    return (await _write(_writer(Script(*lines)))).draft(facts())


async def test_true_sentences_are_kept() -> None:
    writing = await _write(_writer(Script(GOOD)))
    draft = writing.draft(facts())
    assert draft is not None
    assert writing.trouble is None
    assert draft.reason == REASON
    assert set(draft.reports) == {"A", "B", "C"}


async def test_each_sentence_is_told_as_soon_as_it_holds() -> None:
    told = Told()
    writing = await _write(_writer(Script([json.dumps(GOOD), RetryableError("cut off at the end")])), told=told)
    assert list(writing.sentences.values()) == list(GOOD.values())
    # With the time of its document, as it will stand in the text.
    documents = facts().labelled
    assert told.sentences == [
        template.dated(said, documents[label]) if label in documents else said for label, said in GOOD.items()
    ]
    assert [each.stage for each in told.heard][:1] == ["writing"]
    assert told.heard[-1].tokens > 10
    assert not any(each.draft for each in told.heard)


async def test_drafts_are_told_where_that_is_set_and_hold_what_was_refused() -> None:
    told = Told(show_drafts=True)
    await _write(_writer(Script(BAD, GOOD)), told=told)
    drafts = "".join(each.draft or "" for each in told.heard)
    assert "You should buy AAPL." in drafts
    assert "You should buy AAPL." not in told.sentences


async def test_false_sentences_are_dropped_counted_and_the_rest_kept() -> None:
    told = Told()
    false = GOOD | {"B": BAD["B"], "reason": "Volatility pushed the forecast up."}
    writing = await _write(_writer(Script(false)), told=told)
    draft = writing.draft(facts())
    assert draft is not None
    assert draft.reason == ""
    assert set(draft.reports) == {"A", "C"}
    assert writing.dropped.total() == 2
    assert (writing.tokens_in, writing.tokens_out) == (400, 60)
    assert len(told.sentences) == 2


async def test_a_sentence_on_another_document_is_dropped() -> None:
    draft = await _draft(GOOD | {"A": GOOD["C"], "C": GOOD["A"]})
    assert draft is not None
    assert set(draft.reports) == {"B"}


async def test_a_sentence_on_no_document_is_dropped() -> None:
    writing = await _write(_writer(Script(GOOD | {"D": GOOD["A"]})))
    assert writing.dropped == {"source": 1}


async def test_a_draft_of_falsehoods_is_asked_for_once_more() -> None:
    script = Script(BAD, GOOD | {"reason": "Volatility pushed the forecast up."})
    writing = await _write(_writer(script))
    assert writing.draft(facts()) is not None
    assert script.asked == 2
    assert writing.tokens_in == 800
    # What held at first stays; what is written in its place is not even looked at.
    assert writing.sentences["reason"] == REASON
    assert writing.dropped.total() == 3


async def test_falsehoods_twice_leave_the_template() -> None:
    script = Script(BAD, BAD)
    assert (await _write(_writer(script))).draft(facts()) is None
    assert script.asked == 2


async def test_garbage_and_errors_leave_the_template() -> None:
    assert await _draft("no json", RetryableError("down")) is None


async def test_garbage_is_not_read_to_its_end() -> None:
    script = Script(["no json", *["more"] * 1000], RetryableError("down"))
    told = Told()
    await _write(_writer(script), told=told)
    assert script.closed == 2
    assert max(each.tokens for each in told.heard) < 10


async def test_of_an_answer_that_was_cut_off_the_whole_sentences_are_kept() -> None:
    whole = json.dumps(GOOD)
    script = Script([whole[: whole.index("above the long")], RetryableError("cut off")])
    draft = (await _write(_writer(script))).draft(facts())
    assert draft is not None
    assert (draft.reason, set(draft.reports)) == (REASON, {"A"})


async def test_without_time_nothing_is_asked() -> None:
    script = Script()
    assert (await _write(_writer(script), 1)).draft(facts()) is None
    assert script.asked == 0


async def test_for_a_second_try_there_must_be_time() -> None:
    script = Script(BAD, GOOD)
    ticks = iter([0.0, 0.0, 17.0])
    writer = Writer(script, BagOfWords(), Breaker(lambda: 0.0), Gate(1, 8), lambda: next(ticks))
    assert (await _write(writer)).draft(facts()) is None
    assert script.asked == 1


async def test_after_failures_the_model_rests() -> None:
    now = [0.0]
    script = Script(*[RetryableError("down")] * 4, GOOD)
    writer = _writer(script, now)
    for _ in range(3):
        assert not (await _write(writer)).sentences
    assert script.asked == 3
    now[0] = 61.0
    assert not (await _write(writer)).sentences
    assert script.asked == 4
    now[0] = 130.0
    assert (await _write(writer)).sentences
    assert writer.breaker.allows()


async def test_those_who_waited_do_not_ask_a_model_that_failed_the_others() -> None:
    """Ten at once: the breaker opens at the third failure, the others leave without asking."""
    script = Script(*[RetryableError("down")] * 4)
    writer = _writer(script)
    written = await asyncio.gather(*(_write(writer) for _ in range(9)))
    assert script.asked == 3
    assert not any(each.sentences for each in written)


class Still(Script):
    """Never says a word."""

    async def answer(
        self, system: str, prompt: str, schema: dict[str, Any], *, max_tokens: int, seed: int
    ) -> AsyncGenerator[Piece, None]:
        await asyncio.Event().wait()
        yield Piece("")


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ((RetryableError("down"), RetryableError("down")), "away"),
        (("no json", "no json"), "garbled"),
        (({}, {}), "garbled"),
        ((BAD, BAD), "refused"),
        # Of the last attempt: what was refused at first was asked for again.
        ((BAD, RetryableError("down")), "away"),
    ],
)
async def test_why_the_template_speaks(lines: tuple[object, ...], why: str) -> None:
    writing = await _write(_writer(Script(*lines)))
    assert writing.draft(facts()) is None
    assert writing.fallback == why


async def test_a_model_that_is_too_slow_and_one_that_rests_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    # Less time than is worth to be asked for, once it was asked: 0.05 s.
    monkeypatch.setattr("riskee.explanation.writer.MIN_SECONDS", 0.04)
    writer = Writer(Still(), BagOfWords(), Breaker(time.monotonic), Gate(1, 8), time.monotonic)
    assert (await _write(writer, 0.01)).fallback == "late", "the facts took all the time"
    for _ in range(writer.breaker.limit):
        assert (await _write(writer, 0.05)).fallback == "late"
    assert (await _write(writer, 0.05)).fallback == "resting"


async def test_whoever_finds_no_place_is_told_that_many_ask() -> None:
    writer = Writer(Script(GOOD), BagOfWords(), Breaker(lambda: 0.0), Gate(0, 0), lambda: 0.0)
    assert (await _write(writer)).fallback == "busy"


async def test_a_failed_warm_up_harms_nothing() -> None:
    writer = _writer(Script(RetryableError("loading"), GOOD))
    await writer.warm_up()
    assert (await _write(writer)).sentences
