"""What became of published predictions: each is scored into the track record, once its horizon has passed."""

from dataclasses import dataclass
from datetime import UTC, timedelta

from sqlalchemy import Connection, text

from riskee.clock import Clock
from riskee.market.replay import REPLAY
from riskee.messaging.messages import Flag
from riskee.storage.track_record import BATCH, Head, append, head, lock

_PROGRESS = "predictions"
# For so long after the newest prediction that is settled an older one may still be recorded, and is not missed.
_LATE = timedelta(days=1)

# How far the feeds are: along the index, one probe a ticker. The feed that predicted last is the one that runs.
_RUNNING = text("""
    WITH newest AS (
        SELECT prediction.*
        FROM tickers
        CROSS JOIN LATERAL (
            SELECT feed, session_date, prediction_time
            FROM predictions
            WHERE predictions.ticker = tickers.ticker
            ORDER BY prediction_time DESC
            LIMIT 1
        ) AS prediction
    )
    SELECT feed, max(session_date), max(prediction_time)
    FROM newest
    WHERE feed = (SELECT feed FROM newest ORDER BY prediction_time DESC LIMIT 1)
    GROUP BY feed
""")

# What may still be scored. A prediction is settled when the bars of the session after its own are there; in the replay
# that runs they always are, and do not count before it has gone on to a session after them. Predictions of what the
# model was trained on prove nothing.
_SEEN = text("""
    CREATE TEMPORARY TABLE seen ON COMMIT DROP AS
    WITH since AS (
        SELECT
            COALESCE((SELECT through FROM scoring_progress WHERE name = :progress), '-infinity')
            - CAST(:late AS interval) AS moment
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
        WHERE NOT :in_sample = ANY(prediction.flags)
    ),
    calendar AS (
        SELECT
            session_date,
            lead(session_date) OVER sessions AS outcome_session,
            lead(closes_at) OVER sessions AS outcome_closes_at
        FROM trading_sessions
        WINDOW sessions AS (ORDER BY session_date)
    )
    SELECT
        recent.*,
        calendar.outcome_session,
        COALESCE(
            calendar.outcome_session <= CAST(:newest AS date)
            AND calendar.outcome_closes_at <= :now
            AND (recent.feed <> :running OR NOT :replays OR calendar.outcome_session < :session),
            false
        ) AS settled
    FROM recent
    LEFT JOIN calendar USING (session_date)
    WHERE NOT EXISTS (
        SELECT 1
        FROM track_record AS scored
        WHERE scored.ticker = recent.ticker
            AND scored.data_time = recent.data_time
            AND scored.model_version = recent.model_version
    )
""")
_NEWEST = text("SELECT CAST(max(\"timestamp\") AT TIME ZONE 'UTC' AS date) FROM market_data WHERE resolution = '1d'")

_CLOSES = text("""
    CREATE TEMPORARY TABLE closes ON COMMIT DROP AS
    SELECT ticker, session_date, adjustment_factor, close * adjustment_factor AS adjusted_close
    FROM bars
    WHERE resolution = '1d'
        AND "timestamp" >= (SELECT min(session_date) FROM seen WHERE settled)
        AND "timestamp" <= (SELECT max(outcome_session) FROM seen WHERE settled)
""")

# The outcome is the next session's close; a ticker that did not trade then has none. Of a session that was played
# before, the first prediction of a model counts.
_OUTCOMES = text("""
    WITH first AS (
        SELECT DISTINCT ON (ticker, data_time, model_version) *
        FROM seen
        WHERE settled
        ORDER BY ticker, data_time, model_version, prediction_time
    )
    SELECT
        prediction_id, ticker, model_type, model_version, feed, data_time, session_date, outcome_session,
        expected_return, p_up, ln(price_p10 / price) AS interval_low, ln(price_p90 / price) AS interval_high,
        ln(outcome.adjusted_close / (price * today.adjustment_factor)) AS realised_return
    FROM first
    JOIN closes AS today USING (ticker, session_date)
    JOIN closes AS outcome (ticker, outcome_session, factor, adjusted_close) USING (ticker, outcome_session)
    ORDER BY session_date, data_time, ticker, model_version
""")

# Of a pass of the replay that has ended nothing is waited for: the next one plays its last session again.
_REMEMBER = text("""
    INSERT INTO scoring_progress (name, through, updated_at)
    SELECT
        :progress,
        COALESCE(
            min(prediction_time) FILTER (
                WHERE NOT settled AND (feed = :running OR split_part(feed, '/', 1) <> :replay)
            ),
            CAST(:last AS timestamptz)
        ),
        :now
    FROM seen
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
    before = end = head(connection)
    running = connection.execute(_RUNNING).one_or_none()
    if running is None:
        return Scored(0, end)
    feed, session, last = running
    scored_at = clock.now().astimezone(UTC)
    known = {"progress": _PROGRESS, "running": feed, "now": scored_at}
    seen = {"session": session, "replays": feed.split("/")[0] == REPLAY, "newest": connection.scalar(_NEWEST)}
    connection.execute(text("DROP TABLE IF EXISTS seen, closes"))
    connection.execute(_SEEN, known | seen | {"late": _LATE, "in_sample": Flag.IN_SAMPLE.value})
    connection.execute(_CLOSES)
    # Without their statistics the planner takes them for small, and joins them row by row.
    connection.execute(text("ANALYZE seen, closes"))
    with connection.execute(_OUTCOMES, execution_options={"yield_per": BATCH}) as rows:
        for batch in rows.partitions():
            end = append(connection, ((*row, scored_at) for row in batch), end)
    connection.execute(_REMEMBER, known | {"last": last, "replay": REPLAY})
    return Scored(end.rows - before.rows, end)
