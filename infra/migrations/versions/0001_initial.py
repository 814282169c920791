"""The schema of version 0.1, in the SQL file beside this one."""

import re
from pathlib import Path

from alembic import op

from riskee.storage.partitions import Tier, detect_tier, manage
from riskee.storage.tables import TIME_SERIES

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SERIES = {"market_data", "quotes", "predictions"}


def upgrade() -> None:
    connection = op.get_bind()
    clause = r"PARTITION BY RANGE (\1)" if detect_tier(connection) is Tier.PLAIN else ""
    script = re.sub(r"\{partition_by\((\w+)\)\}", clause, Path(__file__).with_suffix(".sql").read_text())
    # The driver's own cursor runs a script of many statements; SQLAlchemy runs one.
    connection.connection.cursor().execute(script)
    for series in TIME_SERIES:
        if series.table.name in SERIES:
            manage(connection, series)
