/*
name: latest_features
materialized: table
description: Every ticker's features at its latest session.
unique_key: [ticker]
columns:
  ticker: {description: exchange symbol, not_null: true}
  session_date: {description: latest session with a bar, not_null: true}
  return_1d: {description: the last session's move, unit: log return}
  return_20d: {description: the move over a month, unit: log return}
  volatility_20d: {description: volatility over a month, unit: log return}
  beta_60d: {description: sensitivity to the market, unit: ratio}
  rsi_14: {description: relative strength index, unit: 0..100, range: [0, 100]}
  sessions_to_earnings: {description: sessions to the next report, unit: sessions}
*/
SELECT DISTINCT ON (ticker)
    ticker,
    session_date,
    return_1d,
    return_20d,
    volatility_20d,
    beta_60d,
    rsi_14,
    sessions_to_earnings
FROM ref('features_daily')
ORDER BY ticker, session_date DESC
