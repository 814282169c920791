/*
name: latest_features_are_the_newest
description: Every ticker with features has one row, of its last session.
*/
SELECT summary.ticker
FROM ref('ticker_summary') AS summary
LEFT JOIN ref('latest_features') AS latest ON latest.ticker = summary.ticker
WHERE latest.session_date IS DISTINCT FROM summary.last_session
