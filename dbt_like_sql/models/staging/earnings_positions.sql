/*
name: earnings_positions
materialized: table
description: >
  Where each ticker that reports stands between its reports, for every session from its first bar to two weeks after
  its last one.
unique_key: [ticker, session_date]
columns:
  ticker: {description: exchange symbol, not_null: true}
  session_date: {description: trading session, not_null: true}
  sessions_to_earnings: {description: "sessions to the next report from today on, at most 10", unit: sessions, not_null: true, range: [0, 10]}
  sessions_since_earnings: {description: "sessions since the last report before today, at most 63", unit: sessions, not_null: true, range: [1, 63]}
  earnings_move: {description: "mean of |r| on the sessions after the last four reports, of those within 300 sessions", unit: log return, range: [0, null]}
*/
WITH histories AS (
    SELECT
        bar.ticker,
        min(session.place) AS first_place,
        max(session.place) AS last_place,
        min(bar.session_date) AS first_date
    FROM ref('bars_adjusted') AS bar
    INNER JOIN ref('session_places') AS session ON session.session_date = bar.session_date
    WHERE bar.ticker IN (SELECT ticker FROM ref('report_places'))
    GROUP BY bar.ticker, bar.history
),

spans AS (
    -- The sessions before the first bar carry the reports of that time.
    SELECT
        ticker,
        min(first_place) - 63 AS first_place,
        max(last_place) + 10 AS last_place,
        min(first_date) AS first_date
    FROM histories
    GROUP BY ticker
),

sessions_of AS (
    SELECT
        span.ticker,
        span.first_date,
        session.session_date,
        session.place
    FROM spans AS span
    INNER JOIN ref('session_places') AS session ON session.place BETWEEN span.first_place AND span.last_place
),

neighbours AS (
    SELECT
        one.ticker,
        one.first_date,
        one.session_date,
        one.place,
        min(report.on_place) OVER (PARTITION BY one.ticker ORDER BY one.place DESC) AS next_place,
        max(report.on_place)
            OVER (PARTITION BY one.ticker ORDER BY one.place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
            AS last_place,
        max(followed.number) OVER (PARTITION BY one.ticker ORDER BY one.place) AS latest,
        max(history.first_place) OVER (PARTITION BY one.ticker ORDER BY one.place) AS history_place
    FROM sessions_of AS one
    LEFT JOIN (SELECT DISTINCT ticker, on_place FROM ref('report_places')) AS report
        ON report.ticker = one.ticker AND report.on_place = one.place
    LEFT JOIN (
        SELECT ticker, after_place, max(number) AS number FROM ref('report_places') GROUP BY ticker, after_place
    ) AS followed
        ON followed.ticker = one.ticker AND followed.after_place = one.place
    LEFT JOIN histories AS history ON history.ticker = one.ticker AND history.first_place = one.place
),

-- Each report with the three before it.
fours AS (
    SELECT
        ticker,
        number,
        ARRAY[after_place, lag(after_place, 1) OVER w, lag(after_place, 2) OVER w, lag(after_place, 3) OVER w] AS places,
        ARRAY[move, lag(move, 1) OVER w, lag(move, 2) OVER w, lag(move, 3) OVER w] AS moves
    FROM ref('report_places')
    WINDOW w AS (PARTITION BY ticker ORDER BY number)
)

SELECT
    here.ticker,
    here.session_date,
    CAST(least(coalesce(here.next_place - here.place, 10), 10) AS double precision) AS sessions_to_earnings,
    CAST(least(coalesce(here.place - here.last_place, 63), 63) AS double precision) AS sessions_since_earnings,
    (
        SELECT avg(past.move)
        FROM unnest(four.places, four.moves) AS past (place, move)
        WHERE past.place >= greatest(here.place - 300, here.history_place)
    ) AS earnings_move
FROM neighbours AS here
LEFT JOIN fours AS four ON four.ticker = here.ticker AND four.number = here.latest
WHERE here.session_date >= here.first_date
