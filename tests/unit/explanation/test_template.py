"""Titles that the template repeats: they stand in a text that is called verified."""

from datetime import UTC, datetime

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


@pytest.mark.parametrize(
    ("title", "told"),
    [
        ("US unemployment rate in the third quarter of 2009", "in the third quarter of 2009; bundled, 2012-10-03"),
        ("AAPL margins in Q2 2011 and later", "in Q2 2011; bundled, 2012-10-03"),
        (
            "Backtest: the normal model expected a gain of AAPL after 3 May 2012",
            "after 3 May 2012; bundled, 2012-10-03",
        ),
        ("US producer prices in April 2012", "in April 2012; bundled, 2012-10-03"),
        ("AAPL dropped 4.2% on 3 October 2012", "bundled, 2012-10-03"),
        ("AAPL and Samsung in court", "bundled, 2012-10-03"),
        ("You should buy what fell on 4 May 2012", "bundled, 2012-10-03"),
    ],
)
def test_what_a_language_model_says_of_a_document_has_its_time(title: str, told: str) -> None:
    titled = msgspec.structs.replace(
        document("prediction_context"), title=title, published_at=datetime(2012, 10, 3, 20, tzinfo=UTC)
    )
    assert template.dated("The rate was 9.6%.", titled) == f"The rate was 9.6% ({told})."
