"""Adding rows of which some may be there already."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.postgresql import insert


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, object]],
    key: Sequence[str],
    changed: Sequence[str],
) -> None:
    """Add the rows; one whose `key` is known takes the new values of the columns `changed`, and keeps all others."""
    if not rows:
        return
    statement = insert(table)
    values = {name: statement.excluded[name] for name in changed}
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=values), list(rows))
