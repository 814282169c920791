/*
name: prediction_outcomes
materialized: view
description: >
  Every scored live prediction beside what happened. The definition of a hit, of an error and of an interval that held;
  the other marts of the live record count these rows. Whoever looks back sets riskee.known_before to a date in the
  transaction: then all of them count only outcomes of sessions before it.
unique_key: [sequence]
columns:
  sequence: {description: place in the track record, not_null: true}
  ticker: {description: exchange symbol, not_null: true}
  model_type: {description: kind of model, not_null: true, accepted_values: [normal, earnings]}
  model_version: {description: the model that predicted, not_null: true}
  session_date: {description: session of the prediction, not_null: true}
  outcome_session: {description: session whose close is the outcome, not_null: true}
  p_up: {description: predicted probability of a rise, unit: 0..1, not_null: true, range: [0, 1]}
  expected_return: {description: predicted return, unit: log return, not_null: true}
  realised_return: {description: return from the prediction's price to the outcome's close, unit: log return, not_null: true}
  rose: {description: whether the realised return is above zero, not_null: true}
  hit: {description: whether the likelier direction came about, not_null: true}
  squared_error: {description: "(p_up - rose)^2, the row's share in the Brier score", not_null: true, range: [0, 1]}
  below: {description: whether the realised return is below the 80 % interval, not_null: true}
  above: {description: whether it is above the interval, not_null: true}
  width: {description: width of the interval, unit: log return, not_null: true, range: [0, null]}
*/
SELECT
    sequence,
    ticker,
    model_type,
    model_version,
    session_date,
    outcome_session,
    p_up,
    expected_return,
    realised_return,
    realised_return > 0 AS rose,
    (p_up >= 0.5) = (realised_return > 0) AS hit,
    power(p_up - CAST(realised_return > 0 AS integer), 2) AS squared_error,
    realised_return < interval_low AS below,
    realised_return > interval_high AS above,
    interval_high - interval_low AS width
FROM source('track_record')
WHERE outcome_session < CAST(coalesce(nullif(current_setting('riskee.known_before', true), ''), 'infinity') AS date)
