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
from riskee.explanation.quality.corpus import Corpus
from riskee.explanation.quality.made_facts import made_facts
from riskee.explanation.quality.measures import hit, mean, ndcg
from riskee.explanation.quality.relevance import Ground, questions_of, read_judgements, relevance_of
from riskee.explanation.quality.report import BEGIN, END, report, write_section
from riskee.explanation.quality.shelf import Shelf
from riskee.explanation.quality.writing import percentile, written_by
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


@pytest.fixture(scope="module")
def ground() -> Ground:
    documents = [_call(ticker, n, p) for ticker in ("AAPL", "IBM") for n in range(3) for p in range(3)]
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
    questions = questions_of(ground.corpus, 1)
    assert len(questions) == 4
    for question in questions:
        newest = [d for d in ground.corpus.documents if d.document_id in question.relevant]
        assert len(newest) == 3
        assert {d.ticker for d in newest} == {question.prediction.ticker}
        later = {d.known_at for d in ground.corpus.documents if d.known_at > newest[0].known_at}
        assert all(newest[0].known_at < question.prediction.data_time < at for at in later)


def test_recency_finds_the_newest_call_and_chance_does_not(ground: Ground) -> None:
    found = relevance_of(ground, RetrievalSettings())
    assert found.ways["hybrid"].hit_rate.value == 1.0
    assert found.ways["hybrid"].ndcg.value > found.ways["random"].ndcg.value
    assert found.ways["hybrid"].ndcg.value > found.ways["hybrid without recency"].ndcg.value
    assert found.from_the_future > 0
    assert found.judged == {}  # their passages are not here


def test_labels_by_hand_are_of_both_kinds() -> None:
    labels = read_judgements()
    assert len({(one.ticker, one.at, one.document_id) for one in labels}) == len(labels) >= 60
    assert 0.2 < sum(one.relevant for one in labels) / len(labels) < 0.8


async def test_what_was_written_is_counted_and_reported(ground: Ground, tmp_path: Path) -> None:
    good = '{"A": "Revenue grew in the quarter.", "B": "Revenue grew in the quarter."}'
    llm = Script(*[good] * 8)
    settings = ExplanationSettings(answer_within_seconds=20)
    told: list[str] = []
    written = await written_by(llm, ground, settings, FixedClock(FIRST), 3, told.append)
    assert len(written.explanations) == len(told) == 3
    assert written.kept + written.dropped.total() > 0
    page = tmp_path / "page.md"
    page.write_text(f"# Explanations\n\nAbove.\n\n{BEGIN}\nold\n{END}\n\nBy hand.\n")
    section = report(relevance_of(ground, RetrievalSettings()), 2, [written], "riskee bench explanations", "a machine")
    write_section(page, section)
    text = page.read_text()
    assert text.startswith(
        f"# Explanations\n\nAbove.\n\n{BEGIN}\n## Measured\n\n`riskee bench explanations`, a machine.\n"
    )
    assert text.endswith(f"{END}\n\nBy hand.\n")
    write_section(page, section)
    assert page.read_text() == text
    assert "old" not in text
    assert "| scripted | 3 |" in text


def test_made_facts_are_the_same_again() -> None:
    one, other = (made_facts("AAPL", FIRST, random.Random(3)) for _ in range(2))
    assert one == other
    assert msgspec.json.decode(msgspec.json.encode(one[0]), type=Prediction) == one[0]
    assert [abs(driver.contribution) for driver in one[1]] == sorted(
        (abs(driver.contribution) for driver in one[1]), reverse=True
    )
