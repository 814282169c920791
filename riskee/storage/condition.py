"""The condition of the database, and of the champions' record in it, in a few cheap queries."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

_SIZE = text("""
    SELECT
        current_database(),
        pg_database_size(current_database()),
        CAST(current_setting('max_connections') AS integer),
        -- initdb writes its Unix time into the upper half of the identifier of what it makes.
        system_identifier >> 32
    FROM pg_control_system()
""")
_CONNECTIONS = text("""
    SELECT COALESCE(state, 'none') AS state, count(*) AS number
    FROM pg_stat_activity
    WHERE backend_type = 'client backend'
    GROUP BY 1
""")
# By days of data, which a replay plays long after; the index of model and session leads to them.
_OUTCOMES = text("""
    WITH champion AS (
        SELECT model_type, model_version, (
            SELECT max(session_date) FROM track_record WHERE track_record.model_version = model_metadata.model_version
        ) AS newest
        FROM model_metadata
        WHERE alias = 'champion'
    )
    SELECT
        champion.model_type,
        p_up >= 0.5 AS said_up,
        realised_return > 0 AS came_up,
        count(*) AS number,
        sum(power(p_up - CAST(realised_return > 0 AS integer), 2)) AS squares,
        count(*) FILTER (WHERE realised_return BETWEEN interval_low AND interval_high) AS inside
    FROM champion
    INNER JOIN track_record USING (model_version)
    WHERE session_date > newest - :days
    GROUP BY 1, 2, 3
""")


@dataclass(frozen=True)
class Condition:
    """Of the database that is connected to: its size in bytes; of its server: connections by state, their limit, and
    the Unix time at which its data was begun, which what is restored keeps."""

    database: str
    size: int
    connections: dict[str, int]
    connections_limit: int
    begun_at: int


@dataclass(frozen=True)
class Outcomes:
    """Outcomes of a champion that were said and came so, the sum of their squared errors, those within the interval."""

    model_type: str
    said_up: bool
    came_up: bool
    number: int
    squares: float
    inside: int


def condition(connection: Connection) -> Condition:
    """Raises what the driver raises where the database does not answer."""
    database, size, limit, begun_at = connection.execute(_SIZE).one()
    connections = {row.state: row.number for row in connection.execute(_CONNECTIONS)}
    return Condition(database, size, connections, limit, begun_at)


def champion_outcomes(connection: Connection, days: int) -> list[Outcomes]:
    """The outcomes of each champion in the newest `days` of data; nothing of one without any."""
    return [Outcomes(*row) for row in connection.execute(_OUTCOMES, {"days": days})]
