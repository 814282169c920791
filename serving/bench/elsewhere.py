"""Performance targets that a run of `riskee bench live` does not measure: what docs/benchmarks.md says of them, or why
this cannot be measured where the page was. A test holds these numbers against the pages."""

from serving.bench.target import Target

_DOCUMENTS = "not of this run: `riskee bench documents`, see Documents"
SEARCH_MS, UPSERTED, EMBEDDED, LARGEST = 13.3, 5590, 215, 96_560
"""p95 of a search of all five collections, its embedding included; documents a second that are written, and with their
embedding; documents of the largest collection."""
WROTE_TOKENS, WROTE_SECONDS = 68, 3.8
"""Of the one language model that could be had: what it wrote for an explanation, and the median of how long."""
SMALLER = {"market_data": 14.0, "quotes": 8.2, "predictions": 4.9}
"""By table, how many times smaller its rows are as columns."""


def compression() -> Target:
    """The one target of the database that its embedded edition cannot have."""
    tables = ", ".join(f"{table} {ratio:g}" for table, ratio in SMALLER.items())
    return Target(
        what="database: compression",
        bound=10,
        unit=": 1",
        measured=None,
        at_least=True,
        note="not measurable here: TimescaleDB's Community edition does it, which no package registry has",
        detail=f"the same rows as columns are so many times smaller: {tables} (docs/backup.md)",
    )


def vectors() -> list[Target]:
    """Of the vector server."""
    return [
        Target(
            what="vectors: search, p95",
            bound=50,
            unit="ms",
            measured=SEARCH_MS,
            detail=f"of all five collections, the query embedded; {_DOCUMENTS}",
        ),
        Target(
            what="vectors: inserted",
            bound=1000,
            unit="a second",
            measured=UPSERTED,
            at_least=True,
            detail=f"made before: with their embedding {EMBEDDED}; {_DOCUMENTS}",
        ),
        Target(
            what="vectors: in a collection",
            bound=100_000,
            unit="",
            measured=LARGEST,
            at_least=True,
            detail=f"of 100,000 in five collections, more were not tried; {_DOCUMENTS}",
        ),
    ]


def language_model() -> list[Target]:
    """Of the language model."""
    only = f"a small one wrote {WROTE_TOKENS} tokens in {WROTE_SECONDS:g} s (p50)"
    weights = "not measurable here: no weights of the models that the target names could be had"
    return [
        Target(
            what="language model: 500 tokens",
            bound=30,
            unit="s",
            measured=None,
            note=weights,
            detail=f"{only} (docs/explanations.md); RISKEE_LLM__TIMEOUT_SECONDS bounds it, then the template writes",
        ),
        Target(
            what="language model: requests at once",
            bound=2,
            unit="",
            measured=None,
            at_least=True,
            note=weights,
            detail="RISKEE_LLM__CONCURRENCY allows 2",
        ),
    ]
