"""What became of published predictions: each is scored into the track record, once its horizon has passed."""

from dataclasses import dataclass
from datetime import UTC

from sqlalchemy import Connection, text

from riskee.clock import Clock
from riskee.messaging.messages import Flag
from riskee.storage.track_record import BATCH, Head, append, head, lock

_PROGRESS = "predictions"

# What was predicted since everything before was settled; along the index, one probe a ticker. A prediction is settled
# when the session after its own was played to its end, which is when its feed has gone on to a later one: in a replay
# the bars of later sessions are stored already, and must not count before.
_SEEN = text("""
    CREATE TEMPORARY TABLE seen ON COMMIT DROP AS
    WITH since AS (
        SELECT COALESCE((SELECT through FROM scoring_progress WHERE name = :progress), '-infinity') AS moment
    ),
    recent AS (
        SELECT prediction.*
        FROM since
        CROSS JOIN tickers
        CROSS JOIN LATERAL (
            SELECT *
            FROM predictions
            WHERE predictions.ticker = tickers.ticker AND prediction_time >= since.moment
        ) AS prediction
    ),
    -- Of a pass of the replay that a later one has followed, nothing more will come.
    played AS (
        SELECT
            feed,
            max(session_date) AS running,
            max(prediction_time) = max(max(prediction_time)) OVER (PARTITION BY split_part(feed, '/', 1)) AS goes_on
        FROM recent
        GROUP BY feed
    ),
    calendar AS (
        SELECT session_date, lead(session_date) OVER (ORDER BY session_date) AS outcome_session FROM trading_sessions
    )
    SELECT
        recent.*,
        calendar.outcome_session,
        COALESCE(
            calendar.outcome_session < played.running AND calendar.outcome_session <= CAST(:newest AS date), false
        ) AS settled,
        played.goes_on
    FROM recent
    JOIN played USING (feed)
    LEFT JOIN calendar USING (session_date)
""")
_NEWEST = text("SELECT CAST(max(\"timestamp\") AT TIME ZONE 'UTC' AS date) FROM market_data WHERE resolution = '1d'")

# The outcome is the next session's close; a ticker that did not trade then has none. A prediction of what the model was
# trained on proves nothing. Of a session that was played before, the first prediction of a model counts.
_OUTCOMES = text("""
    WITH closes AS (
        SELECT ticker, session_date, adjustment_factor, close * adjustment_factor AS adjusted_close
        FROM bars
        WHERE resolution = '1d'
            AND "timestamp" >= (SELECT min(session_date) FROM seen WHERE settled)
            AND "timestamp" <= (SELECT max(outcome_session) FROM seen WHERE settled)
    ),
    first AS (
        SELECT DISTINCT ON (ticker, data_time, model_version) *
        FROM seen
        WHERE settled AND NOT :in_sample = ANY(flags)
        ORDER BY ticker, data_time, model_version, prediction_time
    )
    SELECT
        prediction_id, ticker, model_type, model_version, feed, data_time, session_date, outcome_session,
        expected_return, p_up, ln(price_p10 / price) AS interval_low, ln(price_p90 / price) AS interval_high,
        ln(outcome.adjusted_close / (price * today.adjustment_factor)) AS realised_return
    FROM first
    JOIN closes AS today USING (ticker, session_date)
    JOIN closes AS outcome (ticker, outcome_session, factor, adjusted_close) USING (ticker, outcome_session)
    WHERE NOT EXISTS (
        SELECT 1
        FROM track_record AS scored
        WHERE scored.ticker = first.ticker
            AND scored.data_time = first.data_time
            AND scored.model_version = first.model_version
    )
    ORDER BY session_date, data_time, ticker, model_version
""")

# With ten minutes to spare, for what the bus delivered late.
_REMEMBER = text("""
    INSERT INTO scoring_progress (name, through, updated_at)
    SELECT
        :progress,
        COALESCE(min(prediction_time) FILTER (WHERE NOT settled AND goes_on), max(prediction_time))
        - INTERVAL '10 minutes',
        :now
    FROM seen
    HAVING count(*) > 0
    ON CONFLICT (name) DO UPDATE SET through = excluded.through, updated_at = excluded.updated_at
""")


@dataclass(frozen=True)
class Scored:
    """What one scoring did: how many predictions are new in the track record, and its end."""

    rows: int
    head: Head


def score(connection: Connection, clock: Clock) -> Scored:
    """Score what can be scored, in the connection's transaction.

    Safe to repeat and to run in parallel: the second waits, and finds nothing left to do.
    """
    lock(connection)
    newest = connection.scalar(_NEWEST)
    connection.execute(text("DROP TABLE IF EXISTS seen"))
    connection.execute(_SEEN, {"progress": _PROGRESS, "newest": newest})
    before = end = head(connection)
    scored_at = clock.now().astimezone(UTC)
    flags = {"in_sample": Flag.IN_SAMPLE.value}
    with connection.execute(_OUTCOMES, flags, execution_options={"yield_per": BATCH}) as rows:
        for batch in rows.partitions():
            end = append(connection, ((*row, scored_at) for row in batch), end)
    connection.execute(_REMEMBER, {"progress": _PROGRESS, "now": scored_at})
    return Scored(end.rows - before.rows, end)
