"""Model files and test files, made up."""

from pathlib import Path

HEADER = """/*
name: {name}
materialized: table
description: A model.
columns:
  ticker: {{description: symbol}}
*/
"""
INCREMENTAL = """/*
name: {name}
materialized: incremental
unique_key: [ticker, day]
cut_by: day
split_by: ticker
description: A model.
columns:
  ticker: {{description: symbol}}
  day: {{description: session}}
*/
"""
TEST = """/*
name: {name}
description: A test.
*/
"""


def write(folder: Path, name: str, query: str, header: str = HEADER) -> Path:
    path = folder / "staging" / f"{name}.sql"
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(header.format(name=name) + query)
    return path


def write_test(folder: Path, name: str, query: str, header: str = TEST) -> Path:
    """A test beside the models of the folder `models`."""
    write(folder / "models", "b", "SELECT ticker FROM source('tickers')")
    write(folder / "models", "a", "SELECT ticker FROM ref('b')")
    path = folder / "tests" / f"{name}.sql"
    path.parent.mkdir(exist_ok=True)
    path.write_text(header.format(name=name) + query)
    return path
