"""What may be found for an explanation: nothing from the future, nothing twice, and what there is without Qdrant."""

import asyncio
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
import pytest

from riskee.documents.document import COLLECTIONS, Collection, Document
from riskee.explanation.retrieval import Found, Retrieval
from riskee.settings.retrieval import RetrievalSettings
from tests.unit.explanation.examples import NOW, TREND, prediction
from tests.unit.explanation.stores import Store
from tests.unit.explanation.test_writer import BagOfWords

DAY = timedelta(days=1)
DROP = "AAPL lost 4.2% in the session. The market lost 0.3%."
RISE = "The average of the close rose above the yearly mean."
JOBS = "The unemployment rate of the country fell against the quarter before."


def _document(
    body: str, *, age: timedelta = DAY, ticker: str | None = "AAPL", collection: Collection = "market_news"
) -> Document:
    return Document(
        document_id=uuid.uuid5(uuid.NAMESPACE_OID, f"{body}{age}{ticker}{collection}"),
        collection=collection,
        ticker=ticker,
        title="A title",
        body=body,
        source="made",
        published_at=NOW - age,
        known_at=NOW - age,
    )


def _away(*collections: Collection) -> Store:
    documents = (0.9, _document(DROP)), (0.8, _document(RISE, collection="technical_patterns"))
    return Store(*documents, away=collections)


async def _found(store: Store, documents: int = 3, **settings: float) -> Found:
    retrieval = Retrieval(BagOfWords(), store, documents, RetrievalSettings.model_validate(settings))
    return await retrieval.found(prediction(), (TREND,))


async def _bodies(store: Store, documents: int = 3, **settings: float) -> list[str]:
    return [each.snippet for each in (await _found(store, documents, **settings)).documents]


@pytest.mark.parametrize("ahead", [timedelta(microseconds=1), timedelta(minutes=1), DAY, 400 * DAY])
async def test_what_became_known_later_is_left_out_though_the_search_gives_it(ahead: timedelta) -> None:
    late = _document(RISE, age=-ahead)
    assert await _bodies(Store((1.0, late), (0.1, _document(DROP)))) == [DROP]


async def test_what_became_known_at_that_very_moment_counts() -> None:
    assert await _bodies(Store((0.1, _document(DROP, age=timedelta())))) == [DROP]


async def test_of_another_company_nothing_is_taken() -> None:
    store = Store((1.0, _document(RISE, ticker="MSFT")), (0.2, _document(JOBS, ticker=None)), (0.1, _document(DROP)))
    assert set(await _bodies(store)) == {DROP, JOBS}


async def test_the_newer_of_two_like_documents_comes_first() -> None:
    store = Store((0.60, _document(RISE, age=300 * DAY)), (0.55, _document(DROP, age=3 * DAY)))
    assert await _bodies(store, 1) == [DROP]
    assert await _bodies(store, 1, recency=0.0, substance=0.0) == [RISE]


async def test_a_much_better_old_document_beats_a_new_one() -> None:
    store = Store((0.95, _document(RISE, age=120 * DAY)), (0.05, _document(DROP, age=30 * DAY)))
    assert await _bodies(store, 1) == [RISE]


async def test_among_equally_new_passages_the_more_similar_comes_first_though_cosines_lie_close_together() -> None:
    """The weight of similarity is one of fact: a tenth of cosine outweighs a month of age."""
    near, far = _document(RISE, age=40 * DAY), _document(DROP, age=10 * DAY)
    assert (await _bodies(Store((0.60, near), (0.42, far)), substance=0.0))[0] == RISE


async def test_each_collection_is_told_by_its_own_best() -> None:
    """Each is asked another question: a higher cosine there does not mean that it says more."""
    pattern = _document(RISE, collection="technical_patterns", age=20 * DAY)
    (first, _) = await _bodies(Store((0.9, pattern), (0.3, _document(DROP))), substance=0.0)
    assert first == DROP


async def test_a_document_with_more_to_report_comes_first() -> None:
    said = "Revenue rose 4% to 2 billion dollars. Costs fell 3%. Margins rose 2 points in the quarter."
    plain = "The average of the close rose above the yearly mean."
    store = Store((0.5, _document(plain)), (0.5, _document(said)))
    assert (await _bodies(store))[0] == said
    assert (await _found(store, similarity=0, recency=0, ticker=0)).documents[0].score == pytest.approx(1.0)


async def test_the_half_life_is_what_it_says() -> None:
    store = Store((0.5, _document(DROP, age=60 * DAY)))
    (found,) = (await _found(store, similarity=0.0, ticker=0.0, substance=0.0)).documents
    assert found.score == pytest.approx(0.5)


async def test_on_the_ticker_counts_more_than_on_the_market() -> None:
    store = Store((0.5, _document(JOBS, ticker=None)), (0.5, _document(DROP)))
    assert (await _bodies(store))[0] == DROP


@pytest.mark.parametrize(
    "copy",
    [DROP, DROP.upper(), DROP.replace("AAPL", "Today AAPL"), DROP.replace(". ", ".  ").replace("lost", "lost,", 1)],
    ids=["same", "shouted", "one word more", "punctuation"],
)
async def test_a_near_duplicate_is_taken_once(copy: str) -> None:
    store = Store((0.9, _document(DROP)), (0.89, _document(copy, age=2 * DAY)), (0.3, _document(RISE, age=9 * DAY)))
    found = await _bodies(store)
    assert len(found) == 2
    assert found[0] == DROP


async def test_documents_that_differ_in_their_numbers_are_no_duplicates() -> None:
    other = DROP.replace("4.2", "1.1")
    assert set(await _bodies(Store((0.9, _document(DROP)), (0.9, _document(other, age=2 * DAY))))) == {DROP, other}


async def test_what_says_the_same_waits_behind_what_says_more() -> None:
    alike = "AAPL lost 4.2% in the session. The index lost 0.4% too."
    other = _document(JOBS, ticker=None, collection="economic_indicators")
    store = Store((0.9, _document(DROP)), (0.85, _document(alike)), (0.5, other))
    assert (await _bodies(store, 2, diversity=0.0))[1] == alike
    assert (await _bodies(store, 2, diversity=0.6))[1] == JOBS


async def test_a_collection_that_is_away_is_left_out_and_named() -> None:
    found = await _found(_away("technical_patterns"))
    assert [each.snippet for each in found.documents] == [DROP]
    assert found.unsearched == ("technical_patterns",)


async def test_without_the_vector_server_all_of_them_are_named() -> None:
    found = await _found(_away(*COLLECTIONS))
    assert (found.documents, found.unsearched) == ((), COLLECTIONS)


async def test_a_search_that_hangs_holds_nobody_up() -> None:
    ended = threading.Event()

    class Hanging(Store):
        def pause(self) -> None:
            ended.wait(60)

    try:
        found = await _found(Hanging(), timeout_seconds=0.05)
    finally:
        ended.set()
    assert found.unsearched == COLLECTIONS


async def test_who_waits_for_a_thread_does_not_wait_in_vain() -> None:
    """Five searches and one thread: together they take longer than a search may, each alone far less."""

    class Slow(Store):
        def pause(self) -> None:
            time.sleep(0.5)

    settings = RetrievalSettings(timeout_seconds=2.0)
    one_thread, turn = ThreadPoolExecutor(1), asyncio.Semaphore(1)
    retrieval = Retrieval(BagOfWords(), Slow((0.9, _document(DROP))), 3, settings, one_thread, turn)
    assert (await retrieval.found(prediction(), (TREND,))).unsearched == ()


async def test_a_document_in_which_nothing_can_be_reported_is_the_last_choice() -> None:
    thanks = "Thank you all for joining us. We look forward to your questions."
    assert await _bodies(Store((0.99, _document(thanks)), (0.1, _document(DROP, age=90 * DAY)))) == [DROP]
    assert len(await _bodies(Store((0.99, _document(thanks))))) == 1


async def test_a_source_says_where_it_is_from() -> None:
    document = _document(DROP)
    (found,) = (await _found(Store((0.9, document)))).documents
    assert (found.ticker, found.known_at) == ("AAPL", document.known_at)
    assert found.url.endswith(str(document.document_id))
    assert 0 <= found.score <= 1


async def test_hits_of_a_strange_similarity_do_no_harm() -> None:
    store = Store((float(np.float32(1.0000002)), _document(DROP)), (-0.4, _document(RISE)))
    assert all(0 <= each.score <= 1 for each in (await _found(store)).documents)
