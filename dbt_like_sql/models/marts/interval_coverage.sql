/*
name: interval_coverage
materialized: view
description: How often the live 80 % intervals held what happened, by model.
unique_key: [model_type, model_version]
columns:
  model_type: {description: kind of model, not_null: true}
  model_version: {description: the model that predicted, not_null: true}
  outcomes: {description: scored predictions, not_null: true, range: [1, null]}
  nominal: {description: share that should lie within, unit: 0..1, not_null: true}
  coverage: {description: share that lies within, unit: 0..1, not_null: true, range: [0, 1]}
  below: {description: share below the interval, unit: 0..1, not_null: true, range: [0, 1]}
  above: {description: share above the interval, unit: 0..1, not_null: true, range: [0, 1]}
  mean_width: {description: mean width, unit: log return, not_null: true, range: [0, null]}
*/
SELECT
    model_type,
    model_version,
    count(*) AS outcomes,
    CAST(0.8 AS double precision) AS nominal,
    CAST(avg(CAST(NOT below AND NOT above AS integer)) AS double precision) AS coverage,
    CAST(avg(CAST(below AS integer)) AS double precision) AS below,
    CAST(avg(CAST(above AS integer)) AS double precision) AS above,
    avg(width) AS mean_width
FROM ref('prediction_outcomes')
GROUP BY model_type, model_version
