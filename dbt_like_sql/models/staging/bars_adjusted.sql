/*
name: bars_adjusted
materialized: view
description: >
  The latest version of every daily bar, adjusted for splits and dividends.
columns:
  ticker: {description: exchange symbol}
  session_date: {description: trading session}
  history: {description: counts the ticker's gaps of more than ten calendar days before this bar; no window spans one}
  open: {description: adjusted, unit: currency}
  high: {description: adjusted, unit: currency}
  low: {description: adjusted, unit: currency}
  close: {description: adjusted, unit: currency}
  traded: {description: raw close x raw volume, unit: currency}
*/
WITH followed AS (
    SELECT
        *,
        session_date - lag(session_date) OVER (PARTITION BY ticker ORDER BY session_date) AS days
    FROM source('bars')
    WHERE resolution = '1d'
)

SELECT
    ticker,
    session_date,
    count(*) FILTER (WHERE days > 10) OVER (PARTITION BY ticker ORDER BY session_date) AS history,
    open * adjustment_factor AS open,
    high * adjustment_factor AS high,
    low * adjustment_factor AS low,
    close * adjustment_factor AS close,
    close * volume AS traded
FROM followed
