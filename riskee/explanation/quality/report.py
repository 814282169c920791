"""The report on the quality of explanations, as a section of a page."""

from collections.abc import Sequence
from pathlib import Path

from riskee.documents.document import Collection
from riskee.explanation.quality.measures import Mean
from riskee.explanation.quality.questions import TEXTS
from riskee.explanation.quality.relevance import HALVES, JUDGED_K, K, Relevance
from riskee.explanation.quality.writing import Written, percentile

HEADING = "## Measured"
BEGIN = "<!-- measured: begin -->"
END = "<!-- measured: end -->"
_FRESH = f"""\
By dates: {{questions}} made-up predictions for {{companies}} companies, {{moments}}

All ways obey the ticker and the moment. The label is one of time, which the recency in the hybrid score aims at: it
shows that the newest is found, not more. In brackets: 95 % intervals, by resampling companies.

| way | hit rate@{K} | nDCG@{K} |
|---|---|---|
{{ways}}

Similarity without the conditions: {{future}} of what it finds was not known yet, {{others}} is of other companies."""
_MOMENTS: dict[Collection, str] = {
    "earnings_calls": "each up to 30 days after a real call; fresh are the passages of the company's newest call known "
    "by then, among all {documents} passages.",
    "market_news": "each up to a day after a real post; fresh are the company's posts of the month before, among all "
    "{documents} posts.",
}
_TELLING = f"""\
By hand, held back: {{questions}} of these predictions for {{companies}} companies. Of {{judged}} documents in both
halves, each among the first {JUDGED_K} of some way, one reader who did not see which way found them said whether they
are telling: {{meaning}} Span and substance were chosen on the other half. What nobody judged counts as not telling.

| way | hit rate@{JUDGED_K} | nDCG@{JUDGED_K}, telling | nDCG@{JUDGED_K}, telling and fresh | judged |
|---|---|---|---|---|
{{ways}}"""
_MEANING: dict[Collection, str] = {
    "earnings_calls": "whether a passage states what the company's results were.",
    "market_news": "whether a post states what happened to the company, its business or its share.",
}
_CHOSEN_ON = (
    f"The half that span and substance were chosen on ({{questions}} predictions, {{companies}} companies), "
    f"nDCG@{JUDGED_K}, telling: {{ways}}."
)
_WRITTEN = """\
| model | on | explanations | by the model | by the template | verified | sentences kept | dropped | s p50 | s p95 | \
tokens read | tokens written |
|---|---|---|---|---|---|---|---|---|---|---|---|
{rows}

Dropped sentences by reason: {reasons}.

"Verified" is 100 % by construction: only sentences that passed the checks are in a text, and one that fails the last
check as a whole is replaced by the template's. It is no measure of how often the language model is right: "by the
model" and the sentences kept beside those dropped come nearer, as far as the checks are right. An explanation is "by
the model" where at least one of its sentences is: where no document has one that it may report, the sentence on the
drivers."""


def report(relevance: Sequence[Relevance], written: Sequence[Written], command: str, machine: str) -> str:
    """The section, with the command and the machine that it comes from."""
    parts = [HEADING, f"`{command}`, {machine}."]
    for one in relevance:
        parts += [f"### Found: {TEXTS[one.collection]}", *_found(one)]
    if written:
        parts += ["### Sentences written", _written(written)]
    return "\n\n".join(parts)


def _found(one: Relevance) -> list[str]:
    if not one.questions:
        return ["There are too few texts of this kind to ask anything."]
    fresh = _FRESH.format(
        questions=one.questions,
        companies=one.companies,
        moments=_MOMENTS[one.collection].format(documents=f"{one.documents:,}"),
        ways="\n".join(_row(name, found.hit_rate, found.ndcg) for name, found in one.fresh.items()),
        future=f"{one.from_the_future:.0%}",
        others=f"{one.of_others:.0%}",
    )
    held_back, chosen_on = HALVES
    parts = [fresh]
    if half := one.halves.get(held_back):
        ways = [
            f"{_row(name, found.hit_rate, found.ndcg, found.fresh_ndcg)} {found.judged:.0%} |"
            for name, found in half.ways.items()
        ]
        told = {"questions": half.questions, "companies": half.companies, "judged": one.judged}
        parts.append(_TELLING.format(**told, meaning=_MEANING[one.collection], ways="\n".join(ways)))
    if half := one.halves.get(chosen_on):
        other = ", ".join(f"{name} {found.ndcg.value:.2f}" for name, found in half.ways.items())
        parts.append(_CHOSEN_ON.format(questions=half.questions, companies=half.companies, ways=other))
    return parts


def _row(name: str, *means: Mean) -> str:
    return f"| {name} | {' | '.join(map(_mean, means))} |"


def write_section(page: Path, section: str) -> None:
    """Write the section into the page between its marks, or to its end; what is written by hand stays."""
    text = page.read_text() if page.exists() else "# Explanations\n"
    before, begin, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before.rstrip()}\n\n{BEGIN}\n{section}\n{END}\n{after.removeprefix(chr(10)) if begin else ''}")


def _mean(mean: Mean) -> str:
    return f"{mean.value:.2f} ({mean.low:.2f}–{mean.high:.2f})"


def _written(written: Sequence[Written]) -> str:
    rows = "\n".join(map(_written_row, written))
    reasons = "; ".join(
        f"{each.model} on {each.texts}: "
        + (", ".join(f"{kind} {count}" for kind, count in each.dropped.most_common()) or "none")
        for each in written
    )
    return _WRITTEN.format(rows=rows, reasons=reasons)


def _written_row(each: Written) -> str:
    seconds = [explanation.seconds for explanation in each.explanations]
    count = len(each.explanations)
    by_model = sum(explanation.generator == "model" for explanation in each.explanations)
    verified = sum(explanation.verified for explanation in each.explanations)
    read = sum(explanation.tokens_in for explanation in each.explanations)
    wrote = sum(explanation.tokens_out for explanation in each.explanations)
    return (
        f"| {each.model} | {each.texts} | {count} | {by_model / count:.0%} | {1 - by_model / count:.0%} | "
        f"{verified / count:.0%} | {each.kept} | {each.dropped.total()} | {percentile(seconds, 0.5):.1f} | "
        f"{percentile(seconds, 0.95):.1f} | {read / count:.0f} | {wrote / count:.0f} |"
    )
