/*
name: accuracy_counts_every_outcome
description: Each of the four groupings of accuracy counts every scored prediction once.
*/
SELECT
    ticker = '*' AS all_tickers,
    model_version = '*' AS all_models,
    sum(outcomes) AS outcomes
FROM ref('accuracy')
GROUP BY 1, 2
HAVING sum(outcomes) <> (SELECT count(*) FROM ref('prediction_outcomes'))
