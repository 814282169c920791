/*
name: bars_adjusted
materialized: view
description: >
  The latest version of every daily bar, adjusted for splits and dividends.
columns:
  ticker: {description: exchange symbol}
  session_date: {description: trading session}
  open: {description: adjusted, unit: currency}
  high: {description: adjusted, unit: currency}
  low: {description: adjusted, unit: currency}
  close: {description: adjusted, unit: currency}
  traded: {description: raw close x raw volume, unit: currency}
*/
SELECT
    ticker,
    session_date,
    open * adjustment_factor AS open,
    high * adjustment_factor AS high,
    low * adjustment_factor AS low,
    close * adjustment_factor AS close,
    close * volume AS traded
FROM source('bars')
WHERE resolution = '1d'
