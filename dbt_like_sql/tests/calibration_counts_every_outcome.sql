/*
name: calibration_counts_every_outcome
description: The bins of a model hold as many predictions as its intervals were judged by.
*/
SELECT
    model_type,
    model_version
FROM ref('interval_coverage')
LEFT JOIN (
    SELECT
        model_type,
        model_version,
        sum(outcomes) AS binned
    FROM ref('calibration')
    GROUP BY model_type, model_version
) AS bins USING (model_type, model_version)
WHERE binned IS DISTINCT FROM outcomes
