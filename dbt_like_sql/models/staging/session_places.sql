/*
name: session_places
materialized: table
description: The exchange's sessions, numbered, a year ahead included.
unique_key: [session_date]
cut_by: session_date
columns:
  session_date: {description: trading session, not_null: true}
  place: {description: number of sessions before this one, unit: sessions, not_null: true, range: [0, null]}
*/
SELECT
    session_date,
    row_number() OVER (ORDER BY session_date) - 1 AS place
FROM source('trading_sessions')
