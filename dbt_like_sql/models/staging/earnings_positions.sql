/*
name: earnings_positions
materialized: incremental
description: >
  Where each ticker stands between its reports, for every session from its first bar to two weeks after its last one.
unique_key: [ticker, session_date]
cut_by: session_date
split_by: ticker
looks_ahead: 30
columns:
  ticker: {description: exchange symbol, not_null: true}
  session_date: {description: trading session, not_null: true}
  sessions_to_earnings: {description: "sessions to the next known report from today on, at most 10", unit: sessions, not_null: true, range: [0, 10]}
  sessions_since_earnings: {description: "sessions since the last known report before today, at most 63", unit: sessions, not_null: true, range: [1, 63]}
  earnings_move: {description: "mean of |r| on the sessions after the last four reports, of those within 300 sessions", unit: log return, range: [0, null]}
  earnings_surprise: {description: "surprise of the latest report that has one, of the last four within 300 sessions", unit: share of EPS, range: [-1, 1]}
*/
WITH beginning AS (
    SELECT coalesce(min(place), 0) AS place
    FROM ref('session_places')
    WHERE session_date >= coalesce(CAST(:since AS date), '-infinity')
),

histories AS (
    SELECT
        bar.ticker,
        min(session.place) AS first_place,
        max(session.place) AS last_place
    FROM ref('bars_adjusted') AS bar
    INNER JOIN ref('session_places') AS session ON session.session_date = bar.session_date
    GROUP BY bar.ticker, bar.history
),

spans AS (
    SELECT
        ticker,
        min(first_place) AS first_place,
        max(last_place) + 10 AS last_place
    FROM histories
    GROUP BY ticker
),

-- The sessions from which a report's date is in sight, ahead or behind.
sights AS (
    SELECT
        ticker,
        on_place,
        generate_series(greatest(on_place - 10, known_place, beginning.place), on_place + 63) AS place
    FROM ref('report_places')
    CROSS JOIN beginning
),

distances AS (
    SELECT
        ticker,
        place,
        min(on_place - place) FILTER (WHERE on_place >= place) AS ahead,
        min(place - on_place) FILTER (WHERE on_place < place) AS behind
    FROM sights
    GROUP BY ticker, place
),

-- The past reports at each session that brings a new one, latest first.
turns AS (
    SELECT DISTINCT
        ticker,
        greatest(after_place, known_place) AS place
    FROM ref('report_places')
    CROSS JOIN beginning
    WHERE greatest(after_place, known_place) >= beginning.place - 300
),

past AS (
    SELECT
        turn.ticker,
        turn.place,
        report.number,
        report.after_place,
        report.move,
        report.surprise,
        row_number() OVER (PARTITION BY turn.ticker, turn.place ORDER BY report.number DESC) AS age
    FROM turns AS turn
    INNER JOIN ref('report_places') AS report
        ON report.ticker = turn.ticker
        AND report.after_place BETWEEN turn.place - 300 AND turn.place
        AND report.known_place <= turn.place
),

fours AS (
    SELECT
        ticker,
        place,
        array_agg(after_place ORDER BY number) AS places,
        array_agg(move ORDER BY number) AS moves,
        (array_agg(surprise ORDER BY number DESC) FILTER (WHERE surprise IS NOT NULL))[1] AS surprise,
        max(after_place) FILTER (WHERE surprise IS NOT NULL) AS surprise_place
    FROM past
    WHERE age <= 4
    GROUP BY ticker, place
),

-- A report before the first bar may still count there.
sessions_of AS (
    SELECT
        span.ticker,
        span.first_place,
        session.session_date,
        session.place,
        four.places,
        four.moves,
        four.surprise,
        four.surprise_place,
        count(four.place) OVER so_far AS turn,
        max(history.first_place) OVER so_far AS history_place
    FROM spans AS span
    CROSS JOIN beginning
    INNER JOIN ref('session_places') AS session
        ON session.place BETWEEN greatest(span.first_place, beginning.place) - 300 AND span.last_place
    LEFT JOIN fours AS four ON four.ticker = span.ticker AND four.place = session.place
    LEFT JOIN histories AS history ON history.ticker = span.ticker AND history.first_place = session.place
    WINDOW so_far AS (PARTITION BY span.ticker ORDER BY session.place)
),

carried AS (
    SELECT
        ticker,
        first_place,
        session_date,
        place,
        history_place,
        first_value(places) OVER since_turn AS places,
        first_value(moves) OVER since_turn AS moves,
        first_value(surprise) OVER since_turn AS surprise,
        first_value(surprise_place) OVER since_turn AS surprise_place
    FROM sessions_of
    WINDOW since_turn AS (PARTITION BY ticker, turn ORDER BY place)
)

SELECT
    here.ticker,
    here.session_date,
    CAST(coalesce(distance.ahead, 10) AS double precision) AS sessions_to_earnings,
    CAST(coalesce(distance.behind, 63) AS double precision) AS sessions_since_earnings,
    (
        SELECT avg(report.move)
        FROM unnest(here.places, here.moves) AS report (place, move)
        WHERE report.place >= greatest(here.place - 300, here.history_place)
    ) AS earnings_move,
    CASE WHEN here.surprise_place >= here.place - 300 THEN here.surprise END AS earnings_surprise
FROM carried AS here
LEFT JOIN distances AS distance ON distance.ticker = here.ticker AND distance.place = here.place
WHERE here.place >= here.first_place
