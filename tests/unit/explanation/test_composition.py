"""The texts: golden examples, and the last check of the whole."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from riskee.documents.document import COLLECTIONS
from riskee.explanation.composition import Composed, from_draft, from_template, holds_only_facts
from riskee.explanation.facts import FLAG_NOTES, Facts
from riskee.explanation.prompt import Draft
from riskee.messaging.messages import Flag
from tests.unit.explanation.examples import RECORD, TREND, VOLATILITY, facts

GOLDEN = Path(__file__).parent / "golden"
DRAFT = Draft(
    "The trend of the last months pushed the forecast up.",
    {"A": "AAPL dropped and lost in the session.", "C": "The US unemployment rate rose against the quarter before."},
)


def _composed(name: str) -> tuple[Composed, Facts]:
    cases = {
        "rise": (facts(), None),
        "fall": (facts(-0.0113, (VOLATILITY,), ("prediction_context",), ()), None),
        "flat": (facts(0.00001, (), (), (Flag.STALE, Flag.MODEL_EXPIRED)), None),
        "model": (facts(record=RECORD), DRAFT),
        "model_without_reason": (facts(), Draft("", {"B": "AAPL crossed its average."})),
    }
    given, draft = cases[name]
    return (from_draft(given, draft) if draft else from_template(given)), given


@pytest.mark.parametrize("name", ["rise", "fall", "flat", "model", "model_without_reason"])
def test_texts_are_as_agreed(name: str) -> None:
    composed, given = _composed(name)
    assert composed.text + "\n" == (GOLDEN / f"{name}.txt").read_text()
    assert holds_only_facts(composed, given)


@pytest.mark.parametrize("name", ["rise", "fall", "flat", "model", "model_without_reason"])
def test_each_question_has_a_paragraph_of_its_own(name: str) -> None:
    """A blank line is what people, terminals and plain text take for the end of a paragraph."""
    predicted, driven, said, record = _composed(name)[0].text.split("\n\n")
    assert "expects AAPL to close the next session" in predicted
    assert "expected move is" in predicted, "and how sure that is"
    assert driven.startswith(("Pushing it up", "Pulling it down", "What moved it is not known"))
    assert "[A]." in said or said.startswith("No document")
    assert "earlier predictions" in record or "scored predictions" in record


def test_only_cited_documents_are_sources() -> None:
    composed, given = _composed("model")
    assert composed.sources == (given.documents[0], given.documents[2])


def test_what_was_so_in_another_year_is_not_said_as_of_now() -> None:
    given = facts()
    text = from_draft(given, Draft("", {"C": "The unemployment rate was 9.6%."})).text
    assert "The unemployment rate was 9.6% (in the third quarter of 2009; bundled, 2012-10-03) [A]." in text


def test_documents_that_the_model_could_not_report_are_not_said_to_be_none() -> None:
    given = facts()
    composed = from_draft(given, Draft(DRAFT.reason, {}))
    assert DRAFT.reason in composed.text
    assert "No document" not in composed.text
    assert composed.sources == given.documents
    assert holds_only_facts(composed, given)
    assert "No document on it is known." in from_draft(facts(documents=()), Draft(DRAFT.reason, {})).text


def test_an_invented_number_or_citation_is_seen() -> None:
    composed, given = _composed("model")
    for text in (composed.text + " It gains 7.77%.", composed.text + " [C]"):
        assert not holds_only_facts(Composed(text, composed.sources), given)


def _titled(title: str) -> Facts:
    given = facts()
    first = msgspec.structs.replace(given.documents[0], title=title)
    return replace(given, documents=(first, *given.documents[1:]))


def test_the_number_of_a_title_is_a_fact_of_what_cites_it_and_of_nothing_else() -> None:
    given = _titled("The 77 largest companies of the country")
    composed = from_template(given)
    assert holds_only_facts(composed, given)
    told = from_draft(given, Draft("", {"A": "77 companies are the largest.", "B": "The average of the close rose."}))
    assert holds_only_facts(told, given)
    for text in (
        told.text.replace("of the close rose", "of the close rose to 77"),
        told.text.replace("2012-10-03) [B]", "2012-10-04) [B]"),
        told.text + " The close is 77.",
        told.text.replace("[B].", "[B]. It is 77."),
    ):
        assert not holds_only_facts(Composed(text, told.sources), given)


def test_a_citation_out_of_its_order_or_place_is_seen() -> None:
    composed, given = _composed("model")
    for text in (
        composed.text.replace("[A]", "[B]"),
        composed.text.replace("\n\n", " [A].\n\n", 1),
        composed.text.replace("\n\n", "\n\n\n\n", 1),
        composed.text.replace("\n\n", "\n", 1),
        composed.text.replace(". ", ".\n", 1),
    ):
        assert not holds_only_facts(Composed(text, composed.sources), given)


def test_every_flag_has_its_note() -> None:
    assert set(FLAG_NOTES) == set(Flag)


def test_what_could_not_be_looked_for_is_not_said_not_to_be() -> None:
    known = facts(documents=())
    unread = from_template(replace(known, unsearched=COLLECTIONS, record_read=False)).text
    assert "No document" in from_template(known).text
    assert "None of this model's earlier predictions" in from_template(known).text
    assert "No document" not in unread
    assert "earlier predictions" not in unread
    assert "could not be searched" in unread
    assert "could not be read" in unread


@pytest.mark.parametrize("documents", [(), ("market_news",)], ids=["none found", "one found"])
def test_what_could_not_be_searched_is_said_beside_what_could(documents: tuple[str, ...]) -> None:
    given = replace(facts(documents=documents), unsearched=COLLECTIONS[1:])
    composed = from_template(given)
    assert "is known" not in composed.text
    assert "these could not be searched: earnings calls, economic indicators, technical patterns" in composed.text
    assert holds_only_facts(composed, given)


def test_a_source_of_several_lines_stays_in_its_paragraph() -> None:
    known = facts()
    torn = msgspec.structs.replace(known.documents[0], source="News\nof today")
    given = replace(known, documents=(torn, *known.documents[1:]))
    assert "(News of today, " in from_template(given).text
    assert holds_only_facts(from_template(given), given)


def test_signs_are_those_of_the_drivers() -> None:
    text = from_template(facts(drivers=(TREND, VOLATILITY))).text
    assert "Pushing it up: the trend of the last months (+0.21%)." in text
    assert "Pulling it down: volatility (-0.11%)." in text
