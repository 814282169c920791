"""The measurement of explanations: its measures, its searches, its labels and its page."""

import math
import random
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from riskee.clock import FixedClock
from riskee.documents.document import Collection, Document
from riskee.errors import FatalError, RetryableError
from riskee.explanation.quality import relevance
from riskee.explanation.quality.corpus import Corpus
from riskee.explanation.quality.judgements import Judged, read_judgements
from riskee.explanation.quality.made_facts import made_facts
from riskee.explanation.quality.measures import hit, mean, ndcg
from riskee.explanation.quality.questions import FRESH, TEXTS, is_held_back, questions_of
from riskee.explanation.quality.relevance import Ground, relevance_of
from riskee.explanation.quality.report import BEGIN, END, report, write_section
from riskee.explanation.quality.shelf import Shelf
from riskee.explanation.quality.writing import drawn, percentile, written_by
from riskee.messaging.messages import Prediction
from riskee.settings import ExplanationSettings
from riskee.settings.retrieval import RetrievalSettings
from tests.unit.explanation.test_writer import BagOfWords, Script

ONE, TWO, THREE = (uuid.UUID(int=number) for number in (1, 2, 3))
FIRST = datetime(2016, 1, 28, tzinfo=UTC)
QUARTER = timedelta(days=91)
SAID = ("Revenue grew in the quarter.", "Margins fell in the quarter.", "Sales rose in every region.")


def _call(ticker: str, number: int, passage: int, collection: Collection = "earnings_calls") -> Document:
    at = FIRST + number * QUARTER
    return Document(
        document_id=uuid.uuid5(uuid.NAMESPACE_OID, f"{ticker}{number}{passage}{collection}"),
        collection=collection,
        ticker=ticker,
        title=f"{ticker} earnings call {number}",
        body=f"{SAID[passage]} It was call {number} of {ticker}.",
        source="made",
        published_at=at,
        known_at=at,
    )


def _post(ticker: str, day: int) -> Document:
    return msgspec.structs.replace(
        _call(ticker, day, 0, "market_news"),
        body=f"{ticker} rose on day {day}.",
        published_at=FIRST + timedelta(days=day),
        known_at=FIRST + timedelta(days=day),
    )


@pytest.fixture(scope="module")
def ground() -> Ground:
    documents = [_call(ticker, n, p) for ticker in ("AAPL", "IBM") for n in range(3) for p in range(3)]
    documents += [_post("AAPL", 3 * day) for day in range(40)]
    calls = {ticker: tuple(FIRST + n * QUARTER for n in range(3)) for ticker in ("AAPL", "IBM")}
    embedder = BagOfWords()
    return Ground(Corpus(tuple(documents), calls), Shelf(documents, embedder), embedder, 1)


def test_ndcg_and_hit_rate() -> None:
    assert ndcg([ONE, TWO, THREE], {ONE, TWO}, 3) == 1.0
    assert ndcg([THREE, ONE], {ONE}, 2) == pytest.approx(1 / math.log2(3))
    assert ndcg([THREE, ONE, TWO], {ONE, TWO}, 3) == pytest.approx((1 / math.log2(3) + 0.5) / (1 + 1 / math.log2(3)))
    assert (ndcg([THREE], {ONE}, 1), ndcg([], set(), 3)) == (0.0, 0.0)
    assert (hit([THREE, ONE], {ONE}, 2), hit([THREE, ONE], {ONE}, 1)) == (1.0, 0.0)


def test_an_interval_is_of_groups_not_of_single_values() -> None:
    values = [1.0] * 50 + [0.0] * 50
    alone = mean(values, [str(number) for number in range(100)], 1)
    grouped = mean(values, ["one"] * 50 + ["other"] * 50, 1)
    assert alone.value == grouped.value == 0.5
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)
    assert (grouped.low, grouped.high, grouped.count) == (0.0, 1.0, 100)


def test_a_share_of_values() -> None:
    assert [percentile([5.0, 1.0, 3.0], share) for share in (0.0, 0.5, 0.95)] == [1.0, 3.0, 5.0]


def test_the_shelf_keeps_the_conditions_of_the_search(ground: Ground) -> None:
    (vector,) = ground.embedder.encode(["IBM earnings call"])
    at = FIRST + QUARTER
    found = ground.shelf.search(vector, "IBM", at, 99, ["earnings_calls"])
    assert len(found) == 6
    assert {hit.document.ticker for hit in found} == {"IBM"}
    assert max(hit.document.known_at for hit in found) == at
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    assert len(ground.shelf.nearest(vector, 99, "earnings_calls")) == 18


def test_words_find_what_has_them(ground: Ground) -> None:
    places = ground.shelf.eligible("IBM", FIRST + 9 * QUARTER)
    assert "Margins fell" in ground.shelf.by_words("margins", places)[0].body


def test_a_question_comes_after_its_call_and_before_the_next(ground: Ground) -> None:
    questions = questions_of(ground.corpus, "earnings_calls", 1)
    assert len(questions) == 4
    for question in questions:
        newest = [d for d in ground.corpus.documents if d.document_id in question.fresh]
        assert len(newest) == 3
        assert {d.ticker for d in newest} == {question.prediction.ticker}
        calls = {d.known_at for d in ground.corpus.documents if d.collection == "earnings_calls"}
        later = {at for at in calls if at > newest[0].known_at}
        assert all(newest[0].known_at < question.prediction.data_time < at for at in later)


def test_posts_of_the_month_before_are_fresh(ground: Ground) -> None:
    questions = questions_of(ground.corpus, "market_news", 1)
    assert [question.prediction.ticker for question in questions] == ["AAPL"] * 4
    for question in questions:
        at = question.prediction.data_time
        fresh = [d for d in ground.corpus.documents if d.document_id in question.fresh]
        assert 9 <= len(fresh) <= 11
        assert all(d.collection == "market_news" and at - FRESH <= d.known_at <= at for d in fresh)


@pytest.mark.parametrize("collection", [*TEXTS])
def test_recency_finds_what_is_fresh_and_chance_does_not(ground: Ground, collection: Collection) -> None:
    found = relevance_of(ground, RetrievalSettings(), collection)
    assert found.fresh["hybrid"].ndcg.value > found.fresh["random"].ndcg.value
    assert found.fresh["hybrid"].ndcg.value > found.fresh["hybrid without recency"].ndcg.value
    assert found.from_the_future > 0
    assert (found.halves, found.judged) == ({}, 0)  # their documents are not here


def _judged(ground: Ground, ticker: str) -> Judged:
    """A reader who finds telling what is said of margins."""
    (question, *_) = [
        one for one in questions_of(ground.corpus, "earnings_calls", 1) if one.prediction.ticker == ticker
    ]
    calls = [d for d in ground.corpus.documents if (d.ticker, d.collection) == (ticker, "earnings_calls")]
    known = [d for d in calls if d.known_at <= question.prediction.data_time]
    telling = tuple(d.document_id for d in known if d.body.startswith("Margins"))
    others = tuple(d.document_id for d in known if d.document_id not in telling)
    return Judged("earnings_calls", ticker, question.prediction.data_time, telling, others)


def test_labels_by_hand_are_measured_by_halves(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = [_judged(ground, ticker) for ticker in ("AAPL", "IBM")]
    monkeypatch.setattr(relevance, "read_judgements", lambda: labels)
    found = relevance_of(ground, RetrievalSettings(), "earnings_calls")
    halves = {"held back" if is_held_back(ticker) else "chosen on" for ticker in ("AAPL", "IBM")}
    assert found.halves.keys() == halves
    assert sum(half.companies for half in found.halves.values()) == 2
    assert found.judged == sum(len(one.documents) for one in labels)
    for ways in (half.ways for half in found.halves.values()):
        assert all(way.judged == 1.0 for way in ways.values())
        # One passage of two is telling and of the newest call: the first of three makes it whole.
        assert 0 < ways["hybrid"].fresh_ndcg.value <= 1
        assert ways["hybrid"].hit_rate.value == 1.0
    unjudged = [msgspec.structs.replace(labels[0], telling=labels[0].telling[:1], others=())]
    monkeypatch.setattr(relevance, "read_judgements", lambda: unjudged)
    (half,) = relevance_of(ground, RetrievalSettings(), "earnings_calls").halves.values()
    assert half.ways["random"].judged < 1.0


def test_the_report_has_the_half_that_was_held_back_in_full(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relevance, "read_judgements", lambda: [_judged(ground, "IBM"), _judged(ground, "AAPL")])
    monkeypatch.setattr(relevance, "is_held_back", lambda ticker: ticker == "IBM")
    found = [relevance_of(ground, RetrievalSettings(), "earnings_calls")]
    section = report(found, [], "riskee bench explanations", "a machine")
    assert "By hand, held back: 1 of these predictions for 1 companies. Of 12 documents in both" in section
    assert section.count("| hybrid |") == 2
    assert "was chosen on" not in section
    assert "were chosen on (1 predictions, 1 companies), nDCG@3, telling: hybrid " in section


def test_labels_by_hand_are_many_of_both_kinds_and_of_both_halves() -> None:
    labels = read_judgements()
    for collection in TEXTS:
        own = [one for one in labels if one.collection == collection]
        assert len({(one.ticker, one.at) for one in own}) == len(own)
        telling, judged = (sum(len(getattr(one, name)) for one in own) for name in ("telling", "documents"))
        assert judged >= 150
        assert 0.15 < telling / judged < 0.85
        assert all(len(one.documents) == len(one.telling) + len(one.others) for one in own)
        assert min(sum(is_held_back(one.ticker) == half for one in own) for half in (True, False)) >= 8


async def test_what_was_written_is_counted_and_reported(ground: Ground, tmp_path: Path) -> None:
    good = '{"A": "Revenue grew in the quarter.", "B": "Revenue grew in the quarter."}'
    llm = Script(*[good] * 8)
    settings = ExplanationSettings(answer_within_seconds=20)
    told: list[str] = []
    questions = drawn(questions_of(ground.corpus, "earnings_calls", 1), 3, 1)
    written = await written_by(llm, ground, questions, settings, FixedClock(FIRST), told.append)
    assert len(written.explanations) == len(told) == 3
    assert written.kept + written.dropped.total() > 0
    page = tmp_path / "page.md"
    page.write_text(f"# Explanations\n\nAbove.\n\n{BEGIN}\nold\n{END}\n\nBy hand.\n")
    measured = [relevance_of(ground, RetrievalSettings(), one) for one in TEXTS]
    section = report(measured, [written], "riskee bench explanations", "a machine")
    assert "By hand" not in section
    write_section(page, section)
    text = page.read_text()
    assert text.startswith(
        f"# Explanations\n\nAbove.\n\n{BEGIN}\n## Measured\n\n`riskee bench explanations`, a machine.\n"
    )
    assert text.endswith(f"{END}\n\nBy hand.\n")
    write_section(page, section)
    assert page.read_text() == text
    assert "old" not in text
    assert "| scripted | transcripts of calls | 3 |" in text
    assert "### Found: posts" in text
    assert '"Verified" is 100 % by construction' in section
    assert "by construction" not in report(measured, [], "riskee bench explanations", "a machine")


@pytest.mark.parametrize("lines", [[], ['{"A": "Revenue grew in the quarter."}'] * 2], ids=["never", "no more"])
async def test_a_server_that_does_not_answer_is_no_measurement(ground: Ground, lines: list[str]) -> None:
    away = RetryableError("the language model at http://x:1 does not answer", "`riskee status`")
    questions = questions_of(ground.corpus, "earnings_calls", 1)[:1]
    # Of the two that are answered, one loads the model.
    llm = Script(*lines, *[away] * 9)
    with pytest.raises(FatalError, match=r"http://x:1 does not answer.*riskee up.*RISKEE_LLM__URL"):
        await written_by(llm, ground, questions, ExplanationSettings(), FixedClock(FIRST), print)


def test_made_facts_are_the_same_again() -> None:
    one, other = (made_facts("AAPL", FIRST, random.Random(3)) for _ in range(2))
    assert one == other
    assert msgspec.json.decode(msgspec.json.encode(one[0]), type=Prediction) == one[0]
    assert [abs(driver.contribution) for driver in one[1]] == sorted(
        (abs(driver.contribution) for driver in one[1]), reverse=True
    )
