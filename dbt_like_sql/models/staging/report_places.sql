/*
name: report_places
materialized: table
description: >
  Earnings reports of the tickers that have bars, by session, with the move that followed and how far the result was
  off what was expected. A report on a day without a session takes the place of the next session; a report outside of
  the known sessions is left out.
unique_key: [ticker, report_date]
cut_by: report_date
split_by: ticker
columns:
  ticker: {description: exchange symbol, not_null: true}
  report_date: {description: day of the report, not_null: true}
  number: {description: counts a ticker's reports from 1, not_null: true, range: [1, null]}
  on_place: {description: place of the report's session, unit: sessions, not_null: true}
  after_place: {description: place of the first session after the report, unit: sessions, not_null: true}
  known_place: {description: place of the first session that begins when the report's date is known, unit: sessions, not_null: true}
  move: {description: absolute log return of the session after; none without a bar, unit: log return}
  surprise: {description: "2 (e - f) / (|e| + |f|), e the EPS and f its estimate; none where one is unknown", unit: share of EPS, range: [-1, 1]}
*/
WITH reports AS (
    -- The first day that begins at or after the moment at which the report's date was known.
    SELECT
        *,
        CAST(known_at AT TIME ZONE 'UTC' + INTERVAL '1 day' - INTERVAL '1 microsecond' AS date) AS known_date
    FROM source('earnings_calendar')
    WHERE ticker IN (SELECT ticker FROM source('tickers'))
),

dates AS (
    SELECT report_date AS day FROM reports
    UNION
    SELECT known_date FROM reports
    UNION
    SELECT session_date FROM ref('session_places')
),

placed AS (
    SELECT
        dates.day,
        min(session.place) OVER (ORDER BY dates.day DESC) AS on_place,
        min(session.place) OVER (ORDER BY dates.day DESC)
        + CASE WHEN session.place IS NULL THEN 0 ELSE 1 END AS after_place
    FROM dates
    LEFT JOIN ref('session_places') AS session ON session.session_date = dates.day
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
    known.on_place AS known_place,
    moves.move,
    CASE
        WHEN report.eps_reported + report.eps_estimate IS NOT NULL
            THEN greatest(least(coalesce(
                2 * (report.eps_reported - report.eps_estimate)
                / nullif(abs(report.eps_reported) + abs(report.eps_estimate), 0), 0
            ), 1), -1)
    END AS surprise
FROM reports AS report
INNER JOIN placed ON placed.day = report.report_date
INNER JOIN placed AS known ON known.day = report.known_date
LEFT JOIN ref('session_places') AS following ON following.place = placed.after_place
LEFT JOIN moves ON moves.ticker = report.ticker AND moves.session_date = following.session_date
WHERE report.report_date >= (SELECT min(session_date) FROM ref('session_places'))
    AND placed.on_place IS NOT NULL
    AND known.on_place IS NOT NULL
