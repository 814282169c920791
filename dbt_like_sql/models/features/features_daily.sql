/*
name: features_daily
schema: public
materialized: incremental
unique_key: [ticker, session_date]
cut_by: session_date
split_by: ticker
description: >
  All features of every ticker and session, as they stood at the session's close. The live kernel computes the same.
columns:
  ticker: {description: exchange symbol, not_null: true}
  session_date: {description: trading session, not_null: true}
  return_1d: {description: "ln(c_t / c_(t-1))", unit: log return, range: [-7, 7], warn: true}
  return_5d: {description: "ln(c_t / c_(t-5))", unit: log return, range: [-7, 7], warn: true}
  return_20d: {description: "ln(c_t / c_(t-20))", unit: log return, range: [-7, 7], warn: true}
  return_60d: {description: "ln(c_t / c_(t-60))", unit: log return, range: [-7, 7], warn: true}
  return_120d: {description: "ln(c_t / c_(t-120))", unit: log return, range: [-7, 7], warn: true}
  return_252d: {description: "ln(c_t / c_(t-252))", unit: log return, range: [-7, 7], warn: true}
  volatility_5d: {description: "sample deviation of r, 5", unit: log return, range: [0, 3], warn: true}
  volatility_20d: {description: "sample deviation of r, 20", unit: log return, range: [0, 3], warn: true}
  volatility_60d: {description: "sample deviation of r, 60", unit: log return, range: [0, 3], warn: true}
  volume_ratio_5d: {description: "v_t / mean(v_(t-5) .. v_(t-1))", unit: ratio, range: [0, null]}
  volume_ratio_20d: {description: "v_t / mean(v_(t-20) .. v_(t-1))", unit: ratio, range: [0, null]}
  dollar_volume_20d: {description: "ln(1 + mean(v), 20)", unit: log currency, range: [0, null]}
  beta_60d: {description: "cov(r, m) / var(m), 60", unit: ratio, range: [-20, 20], warn: true}
  market_return_1d: {description: "m_t", unit: log return, range: [-7, 7], warn: true}
  market_volatility_20d: {description: "sample deviation of m, 20", unit: log return, range: [0, 3], warn: true}
  rsi_14: {description: "100 g / (g + d), g and d EMA(1/14) of gains and losses of c", unit: 0..100, range: [0, 100]}
  macd: {description: "(EMA(c, 2/13) - EMA(c, 2/27)) / c", unit: ratio, range: [-2, 2], warn: true}
  sma_50_200: {description: "mean(c, 50) / mean(c, 200) - 1", unit: ratio, range: [-1, 4], warn: true}
  bollinger_20: {description: "(c - mean(c, 20)) / (2 x sample deviation of c, 20)", unit: deviations, range: [-2.2, 2.2]}
  atr_14: {description: "EMA(1/14) of the true range / c", unit: ratio, range: [0, 2], warn: true}
  sessions_to_earnings: {description: "sessions to the next known report from today on, at most 10", unit: sessions, range: [0, 10]}
  sessions_since_earnings: {description: "sessions since the last known report before today, at most 63", unit: sessions, range: [1, 63]}
  earnings_move: {description: "mean of |r| on the sessions after the last four reports, of those within 300 sessions", unit: log return, range: [0, 2], warn: true}
  earnings_surprise: {description: "2 (e - f) / (|e| + |f|) within -1..1, zero where e and f are, e the EPS and f its estimate, of the latest report with both, of the last four within 300 sessions", unit: share of EPS, range: [-1, 1]}
*/
WITH followed AS (
    SELECT
        *,
        row_number() OVER t AS number,
        count(*) FILTER (WHERE session_date < CAST(:since AS date)) OVER (PARTITION BY ticker, history) AS before_since,
        lag(close) OVER t AS previous
    FROM ref('bars_adjusted')
    WINDOW t AS (PARTITION BY ticker, history ORDER BY session_date)
),

moves AS (
    SELECT
        *,
        ln(close / previous) AS move,
        CASE WHEN previous IS NOT NULL THEN greatest(close - previous, 0) END AS gain,
        CASE WHEN previous IS NOT NULL THEN greatest(previous - close, 0) END AS loss,
        CASE WHEN previous IS NOT NULL THEN greatest(high, previous) - least(low, previous) END AS true_range
    FROM followed
),

-- Averages run from the first bar whatever sessions are asked for, so that every run gives the same last digit.
averages AS (
    SELECT
        *,
        riskee_ema(gain, 1.0 / 14) OVER t AS gain_14,
        riskee_ema(loss, 1.0 / 14) OVER t AS loss_14,
        riskee_ema(true_range, 1.0 / 14) OVER t AS range_14,
        riskee_ema(close, 2.0 / 13) OVER t AS fast,
        riskee_ema(close, 2.0 / 27) OVER t AS slow
    FROM moves
    WINDOW t AS (PARTITION BY ticker, history ORDER BY session_date ROWS UNBOUNDED PRECEDING)
),

-- No window is longer than 252 sessions and the bar before them.
recent AS (
    SELECT
        bar.*,
        market.market_return,
        market.market_volatility
    FROM averages AS bar
    LEFT JOIN ref('market_returns') AS market ON market.session_date = bar.session_date
    WHERE bar.number > bar.before_since - 252
),

-- Means are sums over full windows, which the last step picks: avg() costs five times as much.
windows AS (
    SELECT
        *,
        ln(close / lag(close, 5) OVER t) AS return_5d,
        ln(close / lag(close, 20) OVER t) AS return_20d,
        ln(close / lag(close, 60) OVER t) AS return_60d,
        ln(close / lag(close, 120) OVER t) AS return_120d,
        ln(close / lag(close, 252) OVER t) AS return_252d,
        stddev_samp(move) OVER (t ROWS 4 PRECEDING) AS deviation_5,
        stddev_samp(move) OVER (t ROWS 19 PRECEDING) AS deviation_20,
        stddev_samp(move) OVER (t ROWS 59 PRECEDING) AS deviation_60,
        sum(traded) OVER (t ROWS BETWEEN 5 PRECEDING AND 1 PRECEDING) / 5 AS traded_before_5,
        sum(traded) OVER (t ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING) / 20 AS traded_before_20,
        sum(traded) OVER (t ROWS 19 PRECEDING) / 20 AS traded_20,
        regr_slope(move, market_return) OVER (t ROWS 59 PRECEDING) AS slope_60,
        count(market_return) OVER (t ROWS 59 PRECEDING) AS market_moves_60,
        sum(close) OVER (t ROWS 19 PRECEDING) / 20 AS mean_20,
        sum(close) OVER (t ROWS 49 PRECEDING) / 50 AS mean_50,
        sum(close) OVER (t ROWS 199 PRECEDING) / 200 AS mean_200,
        stddev_samp(close) OVER (t ROWS 19 PRECEDING) AS close_deviation_20
    FROM recent
    WINDOW t AS (PARTITION BY ticker, history ORDER BY session_date)
)

SELECT
    now.ticker,
    now.session_date,
    now.move AS return_1d,
    now.return_5d,
    now.return_20d,
    now.return_60d,
    now.return_120d,
    now.return_252d,
    CASE WHEN now.number > 5 THEN now.deviation_5 END AS volatility_5d,
    CASE WHEN now.number > 20 THEN now.deviation_20 END AS volatility_20d,
    CASE WHEN now.number > 60 THEN now.deviation_60 END AS volatility_60d,
    CASE WHEN now.number > 5 THEN now.traded / nullif(now.traded_before_5, 0) END AS volume_ratio_5d,
    CASE WHEN now.number > 20 THEN now.traded / nullif(now.traded_before_20, 0) END AS volume_ratio_20d,
    CASE WHEN now.number >= 20 THEN ln(1 + now.traded_20) END AS dollar_volume_20d,
    CASE WHEN now.number > 60 AND now.market_moves_60 = 60 THEN now.slope_60 END AS beta_60d,
    now.market_return AS market_return_1d,
    now.market_volatility AS market_volatility_20d,
    CASE WHEN now.number >= 15 THEN 100 * now.gain_14 / nullif(now.gain_14 + now.loss_14, 0) END AS rsi_14,
    CASE WHEN now.number >= 26 THEN (now.fast - now.slow) / now.close END AS macd,
    CASE WHEN now.number >= 200 THEN now.mean_50 / now.mean_200 - 1 END AS sma_50_200,
    CASE
        WHEN now.number >= 20 AND now.close_deviation_20 > 1e-9 * now.mean_20
            THEN (now.close - now.mean_20) / (2 * now.close_deviation_20)
    END AS bollinger_20,
    CASE WHEN now.number >= 15 THEN now.range_14 / now.close END AS atr_14,
    coalesce(earnings.sessions_to_earnings, 10) AS sessions_to_earnings,
    coalesce(earnings.sessions_since_earnings, 63) AS sessions_since_earnings,
    earnings.earnings_move,
    earnings.earnings_surprise
FROM windows AS now
LEFT JOIN ref('earnings_positions') AS earnings
    ON earnings.ticker = now.ticker AND earnings.session_date = now.session_date
WHERE now.session_date >= coalesce(CAST(:since AS date), '-infinity')
