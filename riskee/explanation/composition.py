"""Putting the text together: the template's numbers, the verified words of the language model, the caveats."""

import re
from dataclasses import dataclass

from riskee.explanation import template
from riskee.explanation.facts import LABELS, Facts
from riskee.explanation.prompt import Draft
from riskee.explanation.verification import invented_numbers
from riskee.messaging.explanations import SourceDocument

_CITATION = re.compile(r"\[[A-Z]\]")
_CITED = re.compile(r" \[([A-Z])\]\. ?")
# The paragraphs: what is predicted and how sure that is, what drove it, what the documents say, the track record.
_BACKGROUND = 2
_BLANK_LINE = "\n\n"


@dataclass(frozen=True)
class Composed:
    """A text and the documents that it cites: [A] is the first of them, [B] the second."""

    text: str
    sources: tuple[SourceDocument, ...]


def from_template(facts: Facts) -> Composed:
    """The text without a language model."""
    return _composed(facts, [], [template.report(document) for document in facts.documents], facts.documents)


def from_draft(facts: Facts, draft: Draft) -> Composed:
    """The text with a draft of which every sentence has been verified. A document is cited only if it is in it."""
    reason = [draft.reason] if draft.reason else []
    if not draft.reports:
        # Nothing that the model could report stands in them: they were found all the same.
        return _composed(facts, reason, [template.report(document) for document in facts.documents], facts.documents)
    cited = {label: facts.labelled[label] for label in sorted(draft.reports)}
    reports = [template.dated(draft.reports[label], document) for label, document in cited.items()]
    return _composed(facts, reason, reports, tuple(cited.values()))


def holds_only_facts(composed: Composed, facts: Facts) -> bool:
    """Whether every number of the text is a fact's where it stands, and every citation has its source: what a sentence
    cites, be it but the number in a title, is no fact of any other sentence.

    Directions, names, advice and certainty in a draft's sentences are checked before (`verification`). Neither checks
    the whole meaning of a sentence.
    """
    paragraphs = composed.text.split(_BLANK_LINE)
    known = [_opening(facts), template.drivers(facts), [], _closing(facts)]
    if len(paragraphs) != len(known) or any("\n" in paragraph for paragraph in paragraphs):
        return False
    background = _CITED.split(paragraphs.pop(_BACKGROUND))
    del known[_BACKGROUND]
    ticker = facts.prediction.ticker
    own = all(
        not invented_numbers(text, [*said, ticker]) and not _CITATION.search(text)
        for text, said in zip(paragraphs, known, strict=True)
    )
    return own and _cites_its_sources(background, composed.sources)


def _cites_its_sources(background: list[str], sources: tuple[SourceDocument, ...]) -> bool:
    """Whether each sentence has the label of the next source, and no number but that source's. `background` is sentence
    and label by turns, and what follows the last label."""
    sentences, labels = background[:-1:2], background[1::2]
    if labels != list(LABELS[: len(sources)]):
        return False
    return not invented_numbers(background[-1], []) and all(
        not invented_numbers(sentence, [template.report(source), source.snippet])
        for sentence, source in zip(sentences, sources, strict=True)
    )


def _opening(facts: Facts) -> list[str]:
    return [template.headline(facts), template.uncertainty(facts)]


def _closing(facts: Facts) -> list[str]:
    return [*template.unsearched(facts), template.record(facts), template.data_time(facts), *template.caveats(facts)]


def _composed(facts: Facts, reason: list[str], reports: list[str], sources: tuple[SourceDocument, ...]) -> Composed:
    cited = [f"{report.removesuffix('.')} [{label}]." for label, report in zip(LABELS, reports, strict=False)]
    paragraphs = (
        _opening(facts),
        [*template.drivers(facts), *reason],
        cited or [template.without_documents(facts)],
        _closing(facts),
    )
    return Composed(_BLANK_LINE.join(" ".join(sentences) for sentences in paragraphs if sentences), sources)
