/*
name: report_places
materialized: table
description: >
  Earnings reports of the tickers that have bars, by session, with the move that followed. A report on a day without a
  session takes the place of the next session; a report outside of the known sessions is left out.
unique_key: [ticker, report_date]
columns:
  ticker: {description: exchange symbol, not_null: true}
  report_date: {description: day of the report, not_null: true}
  number: {description: counts a ticker's reports from 1, not_null: true, range: [1, null]}
  on_place: {description: place of the report's session, unit: sessions, not_null: true}
  after_place: {description: place of the first session after the report, unit: sessions, not_null: true}
  move: {description: absolute log return of the session after; none without a bar, unit: log return}
*/
WITH days AS (
    SELECT
        coalesce(session.session_date, report.report_date) AS day,
        session.place
    FROM ref('session_places') AS session
    FULL JOIN (SELECT DISTINCT report_date FROM source('earnings_calendar')) AS report
        ON session.session_date = report.report_date
),

placed AS (
    SELECT
        day,
        min(place) OVER (ORDER BY day DESC) AS on_place,
        min(place) OVER (ORDER BY day DESC) + CASE WHEN place IS NULL THEN 0 ELSE 1 END AS after_place
    FROM days
    WHERE day >= (SELECT min(session_date) FROM ref('session_places'))
),

moves AS (
    SELECT
        ticker,
        session_date,
        abs(ln(close / lag(close) OVER (PARTITION BY ticker, history ORDER BY session_date))) AS move
    FROM ref('bars_adjusted')
    WHERE ticker IN (SELECT ticker FROM source('earnings_calendar'))
)

SELECT
    report.ticker,
    report.report_date,
    row_number() OVER (PARTITION BY report.ticker ORDER BY report.report_date) AS number,
    placed.on_place,
    placed.after_place,
    moves.move
FROM source('earnings_calendar') AS report
INNER JOIN placed ON placed.day = report.report_date
LEFT JOIN ref('session_places') AS following ON following.place = placed.after_place
LEFT JOIN moves ON moves.ticker = report.ticker AND moves.session_date = following.session_date
WHERE placed.on_place IS NOT NULL
    AND report.ticker IN (SELECT ticker FROM source('tickers'))
