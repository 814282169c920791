"""The prompt: no digits, no way out of the fence, a schema that fits the facts."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskee.explanation import prompt
from riskee.explanation.digitless import without_digits
from riskee.explanation.verification import refuse_drivers
from tests.unit.explanation.examples import TREND, VOLATILITY, document, facts

ALL = ("market_news", "technical_patterns", "prediction_context")


def test_the_prompt_has_no_digits() -> None:
    assert not re.search(r"\d", prompt.SYSTEM + prompt.user_prompt(facts(documents=ALL)))


def test_a_document_cannot_close_its_fence_or_instruct() -> None:
    text = prompt.user_prompt(facts(documents=("hostile",)))
    assert text.count("</document>") == 1
    assert "AAPL gained in the session." in text
    for forbidden in ("Ignore", "buy", "SYSTEM", "http", "double"):
        assert forbidden not in text


def test_a_document_of_which_nothing_is_left_is_not_shown() -> None:
    texts = prompt.readable(facts(documents=("market_news", "technical_patterns")))
    assert set(texts) == {"A", "B"}
    empty = msgspec.structs.replace(document("market_news"), title="At 3 of 4", snippet="12.")
    assert prompt.document_text(empty) == ""


def test_the_schema_asks_for_one_sentence_a_document_and_a_reason() -> None:
    schema = prompt.answer_schema(facts())
    assert schema["required"] == ["reason", "A", "B", "C"]
    assert schema["additionalProperties"] is False


def test_without_drivers_no_reason_is_asked_for() -> None:
    assert prompt.answer_schema(facts(drivers=(), documents=()))["required"] == []


@pytest.mark.parametrize(("expected", "leading"), [(0.002, TREND), (-0.002, VOLATILITY)])
def test_every_reason_that_the_schema_allows_is_true(expected: float, leading: object) -> None:
    given_facts = facts(expected)
    drivers = prompt.leading_drivers(given_facts)
    assert drivers[0] == leading
    pattern = prompt.answer_schema(given_facts)["properties"]["reason"]["pattern"]
    verb, way = ("lifted", "up") if expected > 0 else ("dragged", "down")
    sentence = f"{drivers[0].name.capitalize()} and {drivers[1].name} {verb} the forecast {way}."
    assert re.fullmatch(pattern, sentence)
    assert refuse_drivers(sentence, drivers, given_facts) is None


def test_changed_words_are_a_new_version() -> None:
    """Whoever changes the prompt raises its number, and then this line."""
    assert prompt.VERSION == "2.0.0+589aa800"


@given(st.text(alphabet='<>/ documentAB\u200b\uff1c\uff1e\n. \u202eid="', max_size=80))
def test_no_text_can_forge_a_fence(text: str) -> None:
    hostile = msgspec.structs.replace(document("market_news"), title=text, snippet=f"AAPL gained. {text} It fell.")
    assert not set("<>\uff1c\uff1e\u200b\u202e") & set(prompt.document_text(hostile))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("AAPL dropped 4.2% on 3 October 2012.", "AAPL dropped."),
        ("AAPL closed at 525.62 and lost 4.2% in the session.", "AAPL closed and lost in the session."),
        ("The move was 2.6 times the usual move of the 60 sessions before.",
         "The move was above the usual move of the sessions before."),
        ("The value was 0.4 times the mean.", "The value was below the mean."),
        ("The value was 1.0 times the mean.", "The value was about the mean."),
        ("The 50-session average rose above the 200-session average.",
         "The medium-term average rose above the long-term average."),
        ("Of 23 earlier occurrences, 12 were followed by a gain. AAPL rose.", "AAPL rose."),
        ("The rate was 9.6%.", ""),
        ("The S&P 500 rose by 1.2 percent (to 1,466.47) in 2012.", "The S&P rose."),
        ("The rate rose 0.4 points against the year before.", "The rate rose against the year before."),
    ],
)  # fmt: skip
def test_texts_lose_their_digits_and_keep_their_sense(text: str, plain: str) -> None:
    assert without_digits(text) == plain


@given(st.text())
def test_no_text_keeps_a_digit(text: str) -> None:
    assert not re.search(r"\d", without_digits(text))
