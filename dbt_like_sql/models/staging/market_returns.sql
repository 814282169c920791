/*
name: market_returns
materialized: table
description: The market ticker's returns, session by session.
unique_key: [session_date]
cut_by: session_date
columns:
  session_date: {description: trading session, not_null: true}
  market_return: {description: log return from the market's bar before, unit: log return, range: [-0.5, 0.5], warn: true}
  market_volatility: {description: sample deviation of the last 20 returns, unit: log return, range: [0, 0.5], warn: true}
*/
WITH moves AS (
    SELECT
        session_date,
        history,
        ln(close / lag(close) OVER t) AS market_return,
        row_number() OVER t AS number
    FROM ref('bars_adjusted')
    WHERE ticker = CAST(:market_ticker AS text)
    WINDOW t AS (PARTITION BY history ORDER BY session_date)
)

SELECT
    session_date,
    market_return,
    CASE
        WHEN number > 20
            THEN stddev_samp(market_return) OVER (PARTITION BY history ORDER BY session_date ROWS 19 PRECEDING)
    END AS market_volatility
FROM moves
