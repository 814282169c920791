/*
name: ticker_summary
materialized: table
description: What history there is of every ticker.
unique_key: [ticker]
columns:
  ticker: {description: exchange symbol, not_null: true}
  name: {description: company or index, not_null: true}
  is_index: {description: whether it is an index, not_null: true}
  bars: {description: daily bars, not_null: true, range: [1, null]}
  first_session: {description: first session with a bar, not_null: true}
  last_session: {description: last session with a bar, not_null: true}
  reports: {description: earnings reports within the known sessions, not_null: true, range: [0, null]}
  trainable_sessions: {description: sessions whose 252-session window is full, not_null: true, range: [0, null]}
*/
SELECT
    ticker.ticker,
    ticker.name,
    ticker.is_index,
    count(*) AS bars,
    min(feature.session_date) AS first_session,
    max(feature.session_date) AS last_session,
    (SELECT count(*) FROM ref('report_places') AS report WHERE report.ticker = ticker.ticker) AS reports,
    count(feature.return_252d) AS trainable_sessions
FROM source('tickers') AS ticker
INNER JOIN ref('features_daily') AS feature ON feature.ticker = ticker.ticker
GROUP BY ticker.ticker, ticker.name, ticker.is_index
