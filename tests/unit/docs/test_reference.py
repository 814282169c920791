"""The reference page is what the code says."""

from pathlib import Path

from riskee.reference import render, settings_rows

ROOT = Path(__file__).parents[3]


def test_reference_page_is_generated_from_the_code() -> None:
    assert (ROOT / "docs" / "reference.md").read_text() == render(), "run `make docs`"


def test_every_setting_is_described() -> None:
    undescribed = [name for name, _, meaning in settings_rows() if not meaning and not name.endswith("HOME")]
    assert undescribed == []
