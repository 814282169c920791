"""From documents and a language model's raw answer to the bytes of the message: nothing false gets on it, and what is
predicted stays as it is whatever the texts say."""

from datetime import timedelta

import msgspec
import pytest

from riskee.breaker import Breaker
from riskee.clock import FixedClock
from riskee.documents.document import COLLECTIONS, Document
from riskee.explanation import composition, prompt, template, wording
from riskee.explanation.explainer import Explainer
from riskee.explanation.gate import Gate, Turn
from riskee.explanation.retrieval import Retrieval
from riskee.explanation.writer import Writer
from riskee.ids import answer_id
from riskee.messaging.envelope import wrap
from riskee.messaging.explanations import Explanation, SourceDocument
from riskee.messaging.messages import Prediction
from riskee.messaging.subjects import EXPLAINED
from riskee.settings.retrieval import RetrievalSettings
from riskee.storage.bus import codec_of
from tests.unit.explanation.adversarial.cases import FALSE, TRUE, Case
from tests.unit.explanation.examples import NOW
from tests.unit.explanation.stores import Store
from tests.unit.explanation.test_adversarial import KEPT
from tests.unit.explanation.test_writer import BagOfWords, Script, Told

# What comes from the facts alone, whatever a language model says.
FIXED = ("prediction_id", "ticker", "data_time", "drivers", "record", "facts_sha256", "occasion", "created_at")
CANARY = "canary"
# Of the documents: the newest first.
IN_THEIR_ORDER = RetrievalSettings(similarity=0, ticker=0, substance=0, diversity=0)


def _document(source: SourceDocument, days: int) -> Document:
    return msgspec.convert(
        {
            "document_id": source.document_id,
            "collection": source.collection,
            "ticker": source.ticker,
            "title": source.title,
            "body": source.snippet,
            "source": source.source,
            "published_at": NOW,
            "known_at": NOW - timedelta(days=days),
        },
        Document,
    )


async def _told(case: Case, answer: str) -> tuple[Prediction, Explanation, bytes, list[str]]:
    """The prediction as it is afterwards, its explanation, the message's bytes and the sentences told on the way."""
    facts, told = case.facts, Told()
    placed = [(1.0, _document(source, place)) for place, source in enumerate(facts.documents)]
    explainer = Explainer(
        Retrieval(BagOfWords(), Store(*placed), 3, IN_THEIR_ORDER),
        _no_record,
        Writer(Script(answer, answer), BagOfWords(), Breaker(lambda: 0.0), Gate(1, 1), lambda: 0.0),
        FixedClock(NOW),
        lambda: 0.0,
    )
    found = await explainer.facts(facts.prediction, facts.drivers, told.progress)
    explanation = await explainer.explain(found, "request", 20.0, Turn(urgent=True), told.progress)
    envelope = wrap(
        explanation,
        message_id=answer_id(explanation.explanation_id, explanation.prediction_id),
        correlation_id=explanation.prediction_id,
        source="test",
        at=NOW,
    )
    body = codec_of(EXPLAINED).encode(envelope)
    return found.prediction, explanation, body, [each.sentence for each in told.heard if each.sentence]


async def _no_record(_prediction: Prediction) -> None:
    return None


@pytest.mark.parametrize("case", FALSE, ids=lambda case: case.id)
async def test_nothing_false_gets_on_the_message(case: Case) -> None:
    prediction, explanation, body, told = await _told(case, case.raw)
    _, plain, _, _ = await _told(case, "{}")
    for _, sentence in case.sentences():
        # A title that the template cites may have the same words.
        assert sentence.rstrip(". ") in plain.text or sentence.rstrip(".") not in explanation.text
    assert not any(word in explanation.text.lower() for word in (*case.absent, CANARY))
    assert explanation.verified
    assert told == []
    assert msgspec.json.encode(prediction) == msgspec.json.encode(case.facts.prediction)
    for name in FIXED:
        assert msgspec.json.encode(getattr(explanation, name)) == msgspec.json.encode(getattr(plain, name)), name
    headline = composition.from_template(case.facts).text.splitlines()[0]
    assert explanation.text.splitlines()[0] == headline
    assert codec_of(EXPLAINED).decode(body).payload == explanation


@pytest.mark.parametrize("case", [case for case in FALSE if "hostile" in str(case.documents)], ids=lambda case: case.id)
async def test_what_hides_in_a_document_is_not_repeated(case: Case) -> None:
    _, explanation, _, _ = await _told(case, case.raw)
    assert wording.META.search(explanation.text.replace("[A]", "")) is None
    assert wording.ADVICE.search(explanation.text) is None


async def test_true_sentences_get_on_the_message() -> None:
    kept = 0
    for case in TRUE:
        ((label, sentence),) = case.sentences()
        _, explanation, _, told = await _told(case, case.raw)
        document = case.facts.labelled.get(label)
        kept += told == [template.dated(sentence, document) if document else sentence]
        # A sentence on the drivers alone, where there are documents, is too little: the template has it in numbers.
        # The last check of the whole knows no rounding: then the template speaks alone.
        plain = explanation.generator == "template"
        assert label == prompt.REASON or not told or plain or sentence.rstrip(".") in explanation.text
        assert explanation.verified
    assert kept >= KEPT * len(TRUE)


async def test_where_the_whole_does_not_hold_the_template_speaks_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    case = TRUE[0]
    whole = composition.holds_only_facts
    plain = composition.from_template(case.facts)
    monkeypatch.setattr(composition, "holds_only_facts", lambda text, facts: text == plain and whole(text, facts))
    monkeypatch.setattr(composition, "from_template", lambda _: plain)
    _, explanation, _, told = await _told(case, case.raw)
    assert told
    assert (explanation.generator, explanation.llm, explanation.text) == ("template", "", plain.text)
    assert explanation.verified


async def test_what_could_not_be_searched_reaches_the_text() -> None:
    case = TRUE[0]
    explainer = Explainer(
        Retrieval(BagOfWords(), Store(away=COLLECTIONS[1:]), 3, IN_THEIR_ORDER),
        _no_record,
        Writer(Script("{}", "{}"), BagOfWords(), Breaker(lambda: 0.0), Gate(1, 1), lambda: 0.0),
        FixedClock(NOW),
        lambda: 0.0,
    )
    found = await explainer.facts(case.facts.prediction, case.facts.drivers, Told().progress)
    assert found.unsearched == COLLECTIONS[1:]
    assert "No document on it was found." in composition.from_template(found).text
