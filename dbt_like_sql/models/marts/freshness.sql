/*
name: freshness
materialized: view
description: The newest session of every ticker in the bars, the features and the track record, and how old it is now.
unique_key: [relation, ticker]
columns:
  relation: {description: table, not_null: true, accepted_values: [market_data, features_daily, track_record]}
  ticker: {description: exchange symbol, not_null: true}
  newest_session: {description: newest session; none where the table has nothing of the ticker}
  age: {description: sessions that have closed since; none without a session, unit: sessions, range: [0, null]}
*/
WITH newest AS (
    SELECT
        'market_data' AS relation,
        ticker.ticker,
        (
            SELECT CAST(max(bar."timestamp") AT TIME ZONE 'UTC' AS date)
            FROM source('market_data') AS bar
            WHERE bar.ticker = ticker.ticker AND bar.resolution = '1d'
        ) AS session_date
    FROM source('tickers') AS ticker
    UNION ALL
    SELECT
        'features_daily' AS relation,
        ticker.ticker,
        (
            SELECT max(feature.session_date)
            FROM ref('features_daily') AS feature
            WHERE feature.ticker = ticker.ticker
        ) AS session_date
    FROM source('tickers') AS ticker
    UNION ALL
    SELECT
        'track_record' AS relation,
        ticker.ticker,
        (
            SELECT max(outcome.session_date)
            FROM ref('prediction_outcomes') AS outcome
            WHERE outcome.ticker = ticker.ticker
        ) AS session_date
    FROM source('tickers') AS ticker
    WHERE NOT ticker.is_index
),

closed AS (
    SELECT
        session_date,
        row_number() OVER (ORDER BY session_date) AS place,
        count(*) OVER () AS sessions
    FROM source('trading_sessions')
    WHERE closes_at <= now()
)

SELECT
    newest.relation,
    newest.ticker,
    newest.session_date AS newest_session,
    closed.sessions - closed.place AS age
FROM newest
LEFT JOIN closed ON closed.session_date = newest.session_date
