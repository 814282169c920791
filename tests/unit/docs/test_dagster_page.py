"""The lists on Dagster's page are what the definitions have."""

from riskee_dagster.definitions import riskee
from riskee_dagster.reference import PAGE, render


def test_the_lists_are_generated_from_the_definitions() -> None:
    page = PAGE.read_text()
    assert page == render(page, riskee()), "run `make docs`"
