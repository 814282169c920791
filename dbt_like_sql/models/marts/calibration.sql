/*
name: calibration
materialized: view
description: Whether the predicted probabilities came true, by model and in bins of p_up that are 0.02 wide.
unique_key: [model_type, model_version, bin]
columns:
  model_type: {description: kind of model, not_null: true}
  model_version: {description: the model that predicted, not_null: true}
  bin: {description: number of the bin, not_null: true, range: [0, 49]}
  p_low: {description: lower end of the bin, unit: 0..1, not_null: true, range: [0, 0.98]}
  p_high: {description: upper end of the bin, unit: 0..1, not_null: true, range: [0.02, 1]}
  outcomes: {description: scored predictions in the bin, not_null: true, range: [1, null]}
  mean_p_up: {description: mean of p_up, unit: 0..1, not_null: true, range: [0, 1]}
  share_of_rises: {description: share of outcomes that rose, unit: 0..1, not_null: true, range: [0, 1]}
*/
WITH binned AS (
    SELECT
        *,
        least(CAST(floor(p_up * 50) AS integer), 49) AS bin
    FROM ref('prediction_outcomes')
)

SELECT
    model_type,
    model_version,
    bin,
    CAST(bin AS double precision) / 50 AS p_low,
    CAST(bin + 1 AS double precision) / 50 AS p_high,
    count(*) AS outcomes,
    avg(p_up) AS mean_p_up,
    CAST(avg(CAST(rose AS integer)) AS double precision) AS share_of_rises
FROM binned
GROUP BY model_type, model_version, bin
