"""Lines of a user's file: what is read from them, and that nothing but a reason comes of wrong ones."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskee.documents.cleaning import clean, likeness, untokenised
from riskee.documents.texts import MAX_CHARACTERS, ImportedText, Kind, parse
from riskee.errors import PoisonError

NOW = datetime(2020, 1, 1, tzinfo=UTC)
CALL = {"symbol": "ADSK", "date": "2015-02-26", "text": "We grew. " * 80}
POST = {
    "symbol": "aapl",
    "created_at": "Wed Jan 01 03:59:03 +0000 2014",
    "tokens": ["rt", "AT_USER", "$", "aapl", "up"],
}


def read(fields: Any, kind: Kind = "calls") -> ImportedText:
    return parse(json.dumps(fields).encode(), kind, "test", NOW)


def test_a_transcript_is_known_when_its_day_in_new_york_is_over() -> None:
    winter, summer = read(CALL), read(CALL | {"date": "2015-07-30"})
    assert (winter.published_at, winter.known_at) == (
        datetime(2015, 2, 26, 5, tzinfo=UTC),
        datetime(2015, 2, 27, 5, tzinfo=UTC),
    )
    assert summer.known_at == datetime(2015, 7, 31, 4, tzinfo=UTC)
    assert winter.title == "ADSK earnings call, 26 February 2015"


def test_the_day_on_which_the_clocks_change_ends_where_it_ends() -> None:
    assert read(CALL | {"date": "2015-03-08"}).known_at == datetime(2015, 3, 9, 4, tzinfo=UTC)


def test_a_transcript_with_a_time_is_known_then() -> None:
    assert read(CALL | {"date": "2015-02-26T17:00:00-05:00"}).known_at == datetime(2015, 2, 26, 22, tzinfo=UTC)


def test_a_post_is_known_at_its_time_and_belongs_to_its_day_in_new_york() -> None:
    post = read(POST | {"tokens": [*POST["tokens"], "on", "good", "news", "URL"]}, "news")
    assert post.published_at == post.known_at == datetime(2014, 1, 1, 3, 59, 3, tzinfo=UTC)
    assert (post.ticker, post.title, post.text) == ("AAPL", "AAPL, 31 December 2013", "$AAPL up on good news")


@pytest.mark.parametrize("ticker", ["3M", "ABCDEFGHIJ.KLMNO"])
def test_a_ticker_that_bars_may_have_texts_may_have_too(ticker: str) -> None:
    assert read(CALL | {"symbol": ticker}).ticker == ticker


def test_a_mended_transcript_keeps_its_identity_and_other_news_are_others() -> None:
    assert read(CALL).text_id == read(CALL | {"text": "We shrank. " * 80}).text_id
    news = {**CALL, "text": "The company grew."}
    assert read(news, "news").text_id != read(news | {"text": "The company shrank."}, "news").text_id
    own = [read(news | {"id": "a1", "text": text}, "news").text_id for text in ("It grew a lot.", "It shrank a lot.")]
    assert own[0] == own[1]


def test_copies_have_one_twin_a_ticker_and_day() -> None:
    news = {**CALL, "text": "Apple beats -- again!"}
    copy = read(news | {"text": "apple beats, AGAIN"}, "news")
    assert read(news, "news").twin == copy.twin
    assert read(news | {"date": "2015-02-27"}, "news").twin != copy.twin
    assert read(news | {"symbol": "IBM"}, "news").twin != copy.twin


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"symbol": "not a ticker"}, "the ticker is not one"),
        ({"symbol": 5}, "symbol or ticker is not a string"),
        ({"symbol": None}, "there is no symbol or ticker"),
        ({"date": None}, "there is no created_at or date"),
        ({"date": "2015-02-30"}, "the date is not one"),
        ({"date": "yesterday"}, "the date is not one"),
        ({"date": "0001-01-01"}, "dated long before any price"),
        ({"date": "9999-12-31"}, "the date is not one"),
        ({"date": "2015-02-26T17:00:00"}, "the time has no zone"),
        ({"date": "2020-01-01"}, "dated in the future"),
        ({"text": None}, "there is no text or tokens"),
        ({"text": "Too short."}, "the text is shorter than 500 characters"),
        ({"text": "1 " * 900}, "the text has no words"),
        ({"text": "x" * (MAX_CHARACTERS + 1)}, f"the text is longer than {MAX_CHARACTERS} characters"),
        ({"text": None, "tokens": ["a", 1]}, "tokens are not all strings"),
        ({"url": "javascript:alert(1)"}, "the url is not one"),
        ({"id": "a\nb"}, "the id is not one"),
    ],
)
def test_a_wrong_line_is_refused_with_its_reason(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(PoisonError) as refused:
        read(CALL | change)
    assert refused.value.cause == reason


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"null", b'{"symbol": "A\xff"}', b"\x1f\x8b\x08", b"[" * 5000, b'{"id":' * 5000, None]
)
def test_what_is_no_object_is_refused(line: bytes | None) -> None:
    with pytest.raises(PoisonError, match="the line is"):
        parse(line, "news", "test", NOW)


_VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists)
_NAMES = ("symbol", "ticker", "date", "created_at", "text", "tokens", "title", "url", "id")


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(_NAMES), _VALUES), st.sampled_from(["calls", "news"]))
def test_nothing_but_a_reason_comes_of_any_object(fields: dict[str, Any], kind: Kind) -> None:
    with suppress(PoisonError):
        assert read(CALL | fields, kind).text


@settings(deadline=None)
@given(st.text(alphabet=st.characters(), max_size=200))
def test_clean_text_is_printable_can_be_stored_and_stays(text: str) -> None:
    found = clean(text)
    assert found.isprintable()
    assert "  " not in found
    assert clean(found) == found
    found.encode()


def test_masked_names_and_hidden_characters() -> None:
    assert clean("Thanks,\t<UNK>.\x00\u202eHi\ud800") == "Thanks, [name]. Hi"


def test_tokens_become_a_sentence() -> None:
    post = "rt AT_USER hackers stole $ 680k , says ( again ) $ brk-b & $ goog : up 2 % ! URL - - URL"
    assert untokenised(post.split()) == "hackers stole $680k, says (again) $BRK-B & $GOOG: up 2%!"
    assert likeness("A, b") == likeness("a  B!") != likeness("ab")
