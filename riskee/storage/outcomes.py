"""What became of published predictions: each is scored into the track record, once its horizon has passed.

The replay tells a daily bar in four quotes, whose order and volumes come of the whole bar (riskee.market.replay): who
reads the first three knows something of the close. Only what was predicted at the close is scored of it; of replayed
minutes and of live feeds everything is.
"""

from dataclasses import dataclass
from datetime import UTC, timedelta

from sqlalchemy import Connection, text

from riskee.clock import Clock
from riskee.market.replay import MINUTES, REPLAY
from riskee.messaging.messages import Flag
from riskee.storage.track_record import BATCH, Head, append, head, lock

_PROGRESS = "predictions/"
# For so long after the newest prediction that is settled an older one may still be recorded, and is not missed.
_LATE = timedelta(days=1)
# For so long the bars of one ticker are waited for while those of others come: then it was delisted, or stands still.
_GIVEN_UP = timedelta(days=10)

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

# What may still be scored. A prediction is settled when its ticker has the bars of its session and of the next one, or
# a later bar, or when bars of others came and its own did not for long. In the replay that runs all are there, and do
# not count before it has gone on to a session after them. Predictions of what the model was trained on prove nothing.
_SEEN = text("""
    CREATE TEMPORARY TABLE seen ON COMMIT DROP AS
    WITH since AS (
        SELECT
            tickers.ticker,
            COALESCE(scoring_progress.through, '-infinity') - CAST(:late AS interval) AS moment,
            ARRAY(
                SELECT DISTINCT "timestamp"
                FROM market_data
                WHERE market_data.ticker = tickers.ticker AND resolution = '1d'
                ORDER BY "timestamp" DESC
                LIMIT 2
            ) AS last_bars
        FROM tickers
        LEFT JOIN scoring_progress ON scoring_progress.name = :progress || tickers.ticker
    ),
    recent AS (
        SELECT
            prediction.*,
            CAST(since.last_bars[1] AT TIME ZONE 'UTC' AS date) AS last_bar,
            CAST(since.last_bars[2] AT TIME ZONE 'UTC' AS date) AS last_bar_but_one
        FROM since
        CROSS JOIN LATERAL (
            SELECT *
            FROM predictions
            WHERE predictions.ticker = since.ticker AND prediction_time >= since.moment
        ) AS prediction
        WHERE NOT :in_sample = ANY(prediction.flags)
    ),
    calendar AS (
        SELECT
            session_date,
            closes_at,
            lead(session_date) OVER sessions AS outcome_session,
            lead(closes_at) OVER sessions AS outcome_closes_at
        FROM trading_sessions
        WINDOW sessions AS (ORDER BY session_date)
    )
    SELECT
        recent.*,
        calendar.outcome_session,
        COALESCE(
            (
                calendar.outcome_session < recent.last_bar
                OR (calendar.outcome_session, recent.session_date) = (recent.last_bar, recent.last_bar_but_one)
                OR (
                    calendar.outcome_session <= CAST(:newest AS date)
                    AND greatest(calendar.outcome_closes_at, recent.prediction_time) < :given_up
                )
            )
            AND calendar.outcome_closes_at <= :now
            AND (recent.feed <> :running OR NOT :replays OR calendar.outcome_session < :session),
            false
        ) AS settled
    FROM recent
    LEFT JOIN calendar USING (session_date)
    WHERE (recent.feed NOT LIKE :told_daily_bars OR recent.feed LIKE :told_minutes
            OR recent.data_time >= calendar.closes_at)
        AND NOT EXISTS (
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
# before, and of what a job asked for of the same quote, the prediction counts that a model made first.
_OUTCOMES = text("""
    WITH first AS (
        SELECT DISTINCT ON (ticker, data_time, model_version) *
        FROM seen
        WHERE settled
        ORDER BY ticker, data_time, model_version, prediction_time, as_of
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

_WITHOUT_OUTCOME = text("""
    SELECT count(DISTINCT (ticker, data_time, model_version))
    FROM seen
    WHERE settled AND NOT EXISTS (
        SELECT 1
        FROM closes AS today
        JOIN closes AS outcome USING (ticker)
        WHERE today.ticker = seen.ticker
            AND today.session_date = seen.session_date
            AND outcome.session_date = seen.outcome_session
    )
""")

# Each ticker has a place of its own: one that waits for its bars must not let all others be read again. Of a pass of
# the replay that has ended nothing is waited for: the next one plays its last session again.
_REMEMBER = text("""
    INSERT INTO scoring_progress (name, through, updated_at)
    SELECT
        :progress || ticker,
        COALESCE(
            min(prediction_time) FILTER (
                WHERE NOT settled AND (feed = :running OR split_part(feed, '/', 1) <> :replay)
            ),
            CAST(:last AS timestamptz)
        ),
        :now
    FROM seen
    GROUP BY ticker
    ON CONFLICT (name) DO UPDATE SET through = excluded.through, updated_at = excluded.updated_at
""")


@dataclass(frozen=True)
class Scored:
    """What one scoring did: how many predictions are new in the track record, its end, and how many of the predictions
    that it settled have no outcome, for their ticker did not trade or has no bars."""

    rows: int
    head: Head
    without_outcome: int = 0


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
    limits = {"late": _LATE, "given_up": scored_at - _GIVEN_UP, "in_sample": Flag.IN_SAMPLE.value}
    played = {"told_daily_bars": f"{REPLAY}/%", "told_minutes": f"{REPLAY}/{MINUTES}/%"}
    connection.execute(_SEEN, known | seen | limits | played)
    connection.execute(_CLOSES)
    # Without their statistics the planner takes them for small, and joins them row by row.
    connection.execute(text("ANALYZE seen, closes"))
    with connection.execute(_OUTCOMES, execution_options={"yield_per": BATCH}) as rows:
        for batch in rows.partitions():
            end = append(connection, ((*row, scored_at) for row in batch), end)
    without_outcome = connection.execute(_WITHOUT_OUTCOME).scalar_one()
    connection.execute(_REMEMBER, known | {"last": last, "replay": REPLAY})
    return Scored(end.rows - before.rows, end, without_outcome)
