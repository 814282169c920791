"""Targets that are measured elsewhere: each number stands on the page that is named."""

import pytest

from serving.bench import elsewhere
from tests.conftest import REPOSITORY


def _documents() -> str:
    page = (REPOSITORY / "docs" / "benchmarks.md").read_text()
    return " ".join(page.partition("## Documents")[2].partition("\n## ")[0].split())


def _row(page: str, begins: str) -> list[str]:
    (line,) = (line for line in (REPOSITORY / "docs" / page).read_text().splitlines() if line.startswith(begins))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize(
    "said",
    [
        f"all five collections asked one after the other 7.8 and {elsewhere.SEARCH_MS:g} ms",
        f"among {elsewhere.LARGEST:,} news",
    ],
)
def test_the_page_says_of_documents_what_the_targets_say(said: str) -> None:
    assert said in _documents()


@pytest.mark.parametrize(
    ("step", "rate"), [("| of it upsert", elsewhere.UPSERTED), ("| vectors in step with the doc", elsewhere.EMBEDDED)]
)
def test_rates_are_those_of_the_table(step: str, rate: int) -> None:
    assert _row("benchmarks.md", step)[-1] == f"{rate:,}"


def test_what_a_language_model_wrote_is_on_its_page() -> None:
    row = _row("explanations.md", "| qwen2.5-coder:0.5b | transcripts")
    assert (row[8], row[-1]) == (f"{elsewhere.WROTE_SECONDS:g}", str(elsewhere.WROTE_TOKENS))


@pytest.mark.parametrize(("table", "smaller"), elsewhere.SMALLER.items())
def test_how_much_smaller_columns_are_is_on_its_page(table: str, smaller: float) -> None:
    assert _row("backup.md", f"| `{table}` |")[-1] == f"{smaller:g} times smaller"


def test_the_targets_of_vectors_have_a_ratio() -> None:
    search, inserted, held = elsewhere.vectors()
    assert (search.ratio, inserted.ratio, held.ratio, held.met) == (3.76, 5.59, 0.97, False)
