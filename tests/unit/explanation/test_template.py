"""Titles that the template repeats: they stand in a text that is called verified."""

import msgspec
import pytest

from riskee.explanation import template
from tests.unit.explanation.examples import document


@pytest.mark.parametrize(
    "title",
    [
        "AAPL will hit $1,000 by summer",
        "AAPL was named a top pick, a no-brainer for every account",
        "Everyone piles into AAPL before it flies to $900",
        "Hurry, AAPL is on sale today only",
        "AAPL is certain to gain",
        "Why we like AAPL",
        "Analysts: AAPL doubles soon",
    ],
)
def test_a_title_that_advises_promises_or_foretells_is_not_repeated(title: str) -> None:
    told = template.report(msgspec.structs.replace(document("market_news"), title=title))
    assert told == "Background: a text of market news (bundled, 2012-10-03)."


@pytest.mark.parametrize("name", ["market_news", "technical_patterns", "economic_indicators", "prediction_context"])
def test_a_title_that_reports_is_repeated(name: str) -> None:
    assert document(name).title in template.report(document(name))
