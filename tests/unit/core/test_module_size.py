"""Modules stay short enough to be read at one go."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MOST_LINES = 250


@pytest.mark.parametrize("package", ["riskee", "riskee_dagster", "serving", "dbt_like_sql", "infra"])
def test_no_module_is_longer_than_one_concern_needs(package: str) -> None:
    modules = list((ROOT / package).rglob("*.py"))
    assert modules
    lengths = {str(module.relative_to(ROOT)): len(module.read_text().splitlines()) for module in modules}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}
