/*
name: latest_features
materialized: table
description: Every ticker's features at its latest session, all of them.
unique_key: [ticker]
columns:
  ticker: {description: exchange symbol, not_null: true, relationship: tickers.ticker}
  session_date: {description: latest session with a bar, not_null: true}
  return_1d: {description: "ln(c_t / c_(t-1))", unit: log return}
  return_5d: {description: "ln(c_t / c_(t-5))", unit: log return}
  return_20d: {description: "ln(c_t / c_(t-20))", unit: log return}
  return_60d: {description: "ln(c_t / c_(t-60))", unit: log return}
  return_120d: {description: "ln(c_t / c_(t-120))", unit: log return}
  return_252d: {description: "ln(c_t / c_(t-252))", unit: log return}
  volatility_5d: {description: "sample deviation of r, 5", unit: log return}
  volatility_20d: {description: "sample deviation of r, 20", unit: log return}
  volatility_60d: {description: "sample deviation of r, 60", unit: log return}
  volume_ratio_5d: {description: "v_t / mean(v_(t-5) .. v_(t-1))", unit: ratio}
  volume_ratio_20d: {description: "v_t / mean(v_(t-20) .. v_(t-1))", unit: ratio}
  dollar_volume_20d: {description: "ln(1 + mean(v), 20)", unit: log currency}
  beta_60d: {description: "cov(r, m) / var(m), 60", unit: ratio}
  market_return_1d: {description: "m_t", unit: log return}
  market_volatility_20d: {description: "sample deviation of m, 20", unit: log return}
  rsi_14: {description: "100 g / (g + d), g and d EMA(1/14) of gains and losses of c", unit: 0..100}
  macd: {description: "(EMA(c, 2/13) - EMA(c, 2/27)) / c", unit: ratio}
  sma_50_200: {description: "mean(c, 50) / mean(c, 200) - 1", unit: ratio}
  bollinger_20: {description: "(c - mean(c, 20)) / (2 x sample deviation of c, 20)", unit: deviations}
  atr_14: {description: "EMA(1/14) of the true range / c", unit: ratio}
  sessions_to_earnings: {description: "sessions to the next known report from today on, at most 10", unit: sessions}
  sessions_since_earnings: {description: "sessions since the last known report before today, at most 63", unit: sessions}
  earnings_move: {description: "mean of |r| on the sessions after the last four reports, of those within 300 sessions", unit: log return}
  earnings_surprise: {description: "2 (e - f) / (|e| + |f|) within -1..1, zero where e and f are, e the EPS and f its estimate, of the latest report with both, of the last four within 300 sessions", unit: share of EPS}
*/
-- The newest session is looked up, ticker by ticker; the row is joined by name, so that lineage can follow its columns.
SELECT
    feature.ticker,
    feature.session_date,
    feature.return_1d,
    feature.return_5d,
    feature.return_20d,
    feature.return_60d,
    feature.return_120d,
    feature.return_252d,
    feature.volatility_5d,
    feature.volatility_20d,
    feature.volatility_60d,
    feature.volume_ratio_5d,
    feature.volume_ratio_20d,
    feature.dollar_volume_20d,
    feature.beta_60d,
    feature.market_return_1d,
    feature.market_volatility_20d,
    feature.rsi_14,
    feature.macd,
    feature.sma_50_200,
    feature.bollinger_20,
    feature.atr_14,
    feature.sessions_to_earnings,
    feature.sessions_since_earnings,
    feature.earnings_move,
    feature.earnings_surprise
FROM source('tickers') AS ticker
CROSS JOIN LATERAL (
    SELECT newest.session_date
    FROM ref('features_daily') AS newest
    WHERE newest.ticker = ticker.ticker
    ORDER BY newest.session_date DESC
    LIMIT 1
) AS latest
INNER JOIN ref('features_daily') AS feature
    ON feature.ticker = ticker.ticker AND feature.session_date = latest.session_date
