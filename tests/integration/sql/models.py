"""Four sessions and three small models of them, for tests of the SQL runner."""

from datetime import date
from pathlib import Path

from sqlalchemy import Engine, text

from dbt_like_sql import Graph, graph

SESSIONS = """/*
name: numbered
materialized: table
description: Sessions, numbered.
unique_key: [session_date]
columns:
  session_date: {description: session, not_null: true}
  place: {description: number, not_null: true, range: [1, null]}
*/
SELECT session_date, row_number() OVER (ORDER BY session_date) AS place
FROM source('trading_sessions')
WHERE session_date >= CAST(:first AS date)
"""
LATE = """/*
name: late
materialized: view
description: Sessions from the second on.
columns:
  place: {description: number, not_null: true}
*/
SELECT place FROM ref('numbered') WHERE place > 1
"""
FEATURES = """/*
name: features_daily
schema: public
materialized: incremental
unique_key: [ticker, session_date]
cut_by: session_date
description: One feature only.
columns:
  ticker: {description: symbol, not_null: true}
  session_date: {description: session, not_null: true}
  rsi_14: {description: made up, range: [0, 100]}
*/
SELECT 'AAPL' AS ticker, session_date, CAST(place AS double precision) * :times AS rsi_14
FROM ref('numbered')
WHERE session_date >= coalesce(CAST(:since AS date), '-infinity')
"""
RSI = "SELECT rsi_14 FROM features_daily ORDER BY session_date"
PARAMETERS = {"first": date(2020, 1, 1), "times": 10}


def add_sessions(engine: Engine) -> None:
    """Put four sessions into an empty database."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO trading_sessions SELECT day, day + time '14:30', day + time '21:00'"
                " FROM unnest(CAST(ARRAY['2020-01-02', '2020-01-03', '2020-01-06', '2020-01-07'] AS date[])) AS t (day)"
            )
        )


def written(folder: Path, *files: str) -> Graph:
    """The graph of these model files, and of those that the folder had."""
    path = folder / "staging"
    path.mkdir(exist_ok=True)
    for content in files:
        name = content.partition("name: ")[2].partition("\n")[0]
        (path / f"{name}.sql").write_text(content)
    return graph(folder)


def changed(models: Graph, name: str, *replacements: tuple[str, str]) -> Graph:
    """The graph after a change of the text of one model."""
    path = models.by_name[name].path
    content = path.read_text()
    for old, new in replacements:
        assert old in content
        content = content.replace(old, new)
    path.write_text(content)
    return graph(path.parents[1])


def values(engine: Engine, query: str) -> list[object]:
    """The first column of a query's rows."""
    with engine.connect() as connection:
        return list(connection.scalars(text(query)))
