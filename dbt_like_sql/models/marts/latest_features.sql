/*
name: latest_features
materialized: table
description: Every ticker's features at its latest session.
unique_key: [ticker]
columns:
  ticker: {description: exchange symbol, not_null: true, relationship: tickers.ticker}
  session_date: {description: latest session with a bar, not_null: true}
  return_1d: {description: the last session's move, unit: log return}
  return_20d: {description: the move over a month, unit: log return}
  volatility_20d: {description: volatility over a month, unit: log return}
  beta_60d: {description: sensitivity to the market, unit: ratio}
  rsi_14: {description: relative strength index, unit: 0..100, range: [0, 100]}
  sessions_to_earnings: {description: sessions to the next report, unit: sessions}
*/
SELECT
    ticker.ticker,
    latest.session_date,
    latest.return_1d,
    latest.return_20d,
    latest.volatility_20d,
    latest.beta_60d,
    latest.rsi_14,
    latest.sessions_to_earnings
FROM source('tickers') AS ticker
CROSS JOIN LATERAL (
    SELECT feature.*
    FROM ref('features_daily') AS feature
    WHERE feature.ticker = ticker.ticker
    ORDER BY feature.session_date DESC
    LIMIT 1
) AS latest
