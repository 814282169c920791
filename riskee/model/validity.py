"""Until when registered models serve."""

from collections.abc import Sequence
from datetime import date

import msgspec
from sqlalchemy import Connection, select

from riskee.storage.tables import model_metadata


class _Validity(msgspec.Struct):
    """Of an artifact, the one thing that is asked here."""

    valid_until: date


def valid_until(connection: Connection, versions: Sequence[str]) -> dict[str, date]:
    """The last day on which each model serves. One whose artifact cannot be read is left out: it serves on none."""
    table = model_metadata.c
    rows = connection.execute(select(table.model_version, table.artifact).where(table.model_version.in_(versions)))
    found: dict[str, date] = {}
    for version, artifact in rows:
        try:
            found[version] = msgspec.json.decode(artifact, type=_Validity).valid_until
        except msgspec.MsgspecError:
            continue
    return found
