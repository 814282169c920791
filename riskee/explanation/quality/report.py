"""The report on the quality of explanations, as a section of a page."""

from collections.abc import Sequence
from pathlib import Path

from riskee.explanation.quality.measures import Mean
from riskee.explanation.quality.relevance import JUDGED_K, Finding, K, Relevance
from riskee.explanation.quality.writing import Written, percentile

HEADING = "## Measured"
BEGIN = "<!-- measured: begin -->"
END = "<!-- measured: end -->"
_FOUND = f"""\
Labels from metadata: {{questions}} made-up predictions, each up to 30 days after a real call of one of {{tickers}}
companies; relevant are the passages of the company's newest call known by then, among all {{passages}} passages of
calls. In brackets: 95 % intervals, by resampling companies. All these ways obey the ticker and the moment. The label is
one of time, which the recency in the hybrid score aims at: it shows that the newest call is found, not more.

| way | hit rate@{K} | nDCG@{K} |
|---|---|---|
{{ways}}

Similarity without the conditions: {{future}} of what it finds was not known yet, {{others}} is of other companies."""
_JUDGED = f"""\
Labels by hand: {{judgements}} passages, found by any of the ways for some of these predictions, judged once by their
first 420 characters: do they tell of the company's results? What nobody judged counts as irrelevant.

| way | hit rate@{JUDGED_K} | nDCG@{JUDGED_K} |
|---|---|---|
{{ways}}"""
_WRITTEN = """\
| model | explanations | by the model | by the template | verified | sentences kept | dropped | s p50 | s p95 | \
tokens read | tokens written |
|---|---|---|---|---|---|---|---|---|---|---|
{rows}

Dropped sentences by reason: {reasons}."""


def report(relevance: Relevance, tickers: int, written: Sequence[Written], command: str, machine: str) -> str:
    """The section, with the command and the machine that it comes from."""
    found = _FOUND.format(
        questions=relevance.questions,
        tickers=tickers,
        passages=f"{relevance.passages:,}",
        ways=_ways(relevance.ways),
        future=f"{relevance.from_the_future:.0%}",
        others=f"{relevance.of_others:.0%}",
    )
    parts = [HEADING, f"`{command}`, {machine}.", "### Documents found", found]
    if relevance.judged:
        parts.append(_JUDGED.format(judgements=relevance.judgements, ways=_ways(relevance.judged)))
    if written:
        parts += ["### Sentences written", _written(written)]
    return "\n\n".join(parts)


def write_section(page: Path, section: str) -> None:
    """Write the section into the page between its marks, or to its end; what is written by hand stays."""
    text = page.read_text() if page.exists() else "# Explanations\n"
    before, begin, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before.rstrip()}\n\n{BEGIN}\n{section}\n{END}\n{after.removeprefix(chr(10)) if begin else ''}")


def _ways(findings: dict[str, Finding]) -> str:
    return "\n".join(f"| {name} | {_mean(found.hit_rate)} | {_mean(found.ndcg)} |" for name, found in findings.items())


def _mean(mean: Mean) -> str:
    return f"{mean.value:.2f} ({mean.low:.2f}–{mean.high:.2f})"


def _written(written: Sequence[Written]) -> str:
    rows = "\n".join(map(_row, written))
    reasons = "; ".join(
        f"{each.model}: " + (", ".join(f"{kind} {count}" for kind, count in each.dropped.most_common()) or "none")
        for each in written
    )
    return _WRITTEN.format(rows=rows, reasons=reasons)


def _row(each: Written) -> str:
    seconds = [explanation.seconds for explanation in each.explanations]
    count = len(each.explanations)
    by_model = sum(explanation.generator == "model" for explanation in each.explanations)
    verified = sum(explanation.verified for explanation in each.explanations)
    read = sum(explanation.tokens_in for explanation in each.explanations)
    wrote = sum(explanation.tokens_out for explanation in each.explanations)
    return (
        f"| {each.model} | {count} | {by_model / count:.0%} | {1 - by_model / count:.0%} | {verified / count:.0%} | "
        f"{each.kept} | {each.dropped.total()} | {percentile(seconds, 0.5):.1f} | {percentile(seconds, 0.95):.1f} | "
        f"{read / count:.0f} | {wrote / count:.0f} |"
    )
