"""What became of published predictions."""

from sqlalchemy import Connection, text

from riskee.messaging.messages import Accuracy, Flag

# A prediction's outcome is the next session's close, once the prediction's own feed has played that session to its
# end. In a replay the bars of later sessions are stored already: they must not count before. A ticker that did not
# trade in the next session has no outcome, and a prediction of what the model was trained on proves nothing.
_ACCURACY = text("""
    WITH played AS (
        SELECT feed, max(session_date) AS running FROM predictions GROUP BY feed
    ),
    calendar AS (
        SELECT session_date, lead(session_date) OVER (ORDER BY session_date) AS following FROM trading_sessions
    ),
    closes AS (
        SELECT
            ticker,
            session_date,
            adjustment_factor,
            lead(session_date) OVER ticker_bars AS next_session,
            lead(close * adjustment_factor) OVER ticker_bars AS next_close
        FROM bars
        WHERE resolution = '1d' AND session_date >= (SELECT min(session_date) FROM predictions)
        WINDOW ticker_bars AS (PARTITION BY ticker ORDER BY "timestamp")
    ),
    outcomes AS (
        SELECT model_type, model_version, p_up, next_close > price * adjustment_factor AS rose
        FROM predictions
        JOIN closes USING (ticker, session_date)
        JOIN calendar USING (session_date)
        JOIN played USING (feed)
        WHERE next_session = following AND next_session < running AND NOT :in_sample = ANY(flags)
    )
    SELECT
        model_type,
        model_version,
        count(*) AS outcomes,
        avg(CAST((p_up >= 0.5) = rose AS integer)) AS hit_rate,
        avg(power(p_up - CAST(rose AS integer), 2)) AS brier
    FROM outcomes
    GROUP BY model_type, model_version
    ORDER BY model_type, model_version
""")


def live_accuracy(connection: Connection) -> list[Accuracy]:
    """How often each model's published predictions were right; nothing of models without an outcome yet."""
    return [
        Accuracy(
            model_type=row.model_type,
            model_version=row.model_version,
            outcomes=row.outcomes,
            hit_rate=float(row.hit_rate),
            brier=float(row.brier),
        )
        for row in connection.execute(_ACCURACY, {"in_sample": Flag.IN_SAMPLE.value})
    ]
