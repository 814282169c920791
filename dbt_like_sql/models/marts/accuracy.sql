/*
name: accuracy
materialized: view
description: >
  How often the live predictions were right: by ticker and model, by ticker, by model, and of all, where * stands for
  all. Predictions of one session share the market's day: the interval of the hit rate is Wilson's, of as many
  independent predictions as the spread between sessions leaves; of fewer than 30 sessions, each counts once. Sessions
  count as independent of each other, for an outcome spans one only: where runs of sessions went alike (a regime), the
  interval is too narrow.
unique_key: [ticker, model_type, model_version]
columns:
  ticker: {description: exchange symbol or *, not_null: true}
  model_type: {description: kind of model or *, not_null: true, accepted_values: [normal, earnings, "*"]}
  model_version: {description: the model that predicted or *, not_null: true}
  outcomes: {description: scored predictions, not_null: true, range: [1, null]}
  sessions: {description: sessions of the outcomes, unit: sessions, not_null: true, range: [1, null]}
  newest_outcome: {description: session of the newest outcome, not_null: true}
  effective_outcomes: {description: as many independent predictions would be as certain, not_null: true, range: [0, null]}
  hit_rate: {description: share of hits, unit: 0..1, not_null: true, range: [0, 1]}
  hit_rate_low: {description: lower end of the 95 % interval, unit: 0..1, not_null: true, range: [0, 1]}
  hit_rate_high: {description: upper end of the 95 % interval, unit: 0..1, not_null: true, range: [0, 1]}
  chance: {description: hit rate of the better of always up and always down, unit: 0..1, not_null: true, range: [0.5, 1]}
  chance_low: {description: "lower end of the 95 % interval of chance, of as many rises as sessions", unit: 0..1, not_null: true, range: [0, 1]}
  verdict:
    description: >-
      better where the whole interval of the hit rate lies above chance; worse where it lies below that of chance:
      which of up and down was the better one is known only afterwards, and may be luck
    not_null: true
    accepted_values: [better than chance, worse than chance, not distinguishable from chance]
  brier: {description: mean of squared_error, not_null: true, range: [0, 1]}
  brier_of_share: {description: Brier score of the constant share of rises, not_null: true, range: [0, 0.25]}
*/
WITH days AS (
    SELECT
        outcome_session,
        CASE WHEN grouping(ticker) = 1 THEN '*' ELSE ticker END AS ticker,
        CASE WHEN grouping(model_type) = 1 THEN '*' ELSE model_type END AS model_type,
        CASE WHEN grouping(model_version) = 1 THEN '*' ELSE model_version END AS model_version,
        count(*) AS outcomes,
        count(*) FILTER (WHERE hit) AS hits,
        count(*) FILTER (WHERE rose) AS rises,
        sum(squared_error) AS squared_error
    FROM ref('prediction_outcomes')
    GROUP BY
        GROUPING SETS (
            (outcome_session, ticker, model_type, model_version),
            (outcome_session, ticker),
            (outcome_session, model_type, model_version),
            (outcome_session)
        )
),

totals AS (
    SELECT
        ticker,
        model_type,
        model_version,
        CAST(sum(outcomes) AS bigint) AS outcomes,
        count(*) AS sessions,
        max(outcome_session) AS newest_outcome,
        CAST(sum(hits) / sum(outcomes) AS double precision) AS hit_rate,
        CAST(sum(rises) / sum(outcomes) AS double precision) AS share,
        sum(squared_error) / CAST(sum(outcomes) AS double precision) AS brier,
        CAST(sum(hits * hits) AS double precision) AS hits_hits,
        CAST(sum(hits * outcomes) AS double precision) AS hits_outcomes,
        CAST(sum(outcomes * outcomes) AS double precision) AS outcomes_outcomes
    FROM days
    GROUP BY ticker, model_type, model_version
),

-- The sum over sessions of (hits - rate x outcomes)^2.
spreads AS (
    SELECT
        *,
        greatest(hits_hits - 2 * hit_rate * hits_outcomes + hit_rate * hit_rate * outcomes_outcomes, 0) AS spread
    FROM totals
),

effective AS (
    SELECT
        *,
        CASE
            WHEN sessions < 30 OR spread <= 1e-9 * outcomes_outcomes THEN CAST(sessions AS double precision)
            ELSE least(
                outcomes,
                hit_rate * (1 - hit_rate) * power(CAST(outcomes AS double precision), 2) * (sessions - 1) / (sessions * spread)
            )
        END AS effective_outcomes
    FROM spreads
),

-- Wilson (1927) with z = 1.96.
bounds AS (
    SELECT
        *,
        greatest(share, 1 - share) AS chance,
        (hit_rate + 3.8416 / (2 * effective_outcomes)) / (1 + 3.8416 / effective_outcomes) AS centre,
        1.96 * sqrt(hit_rate * (1 - hit_rate) / effective_outcomes + 3.8416 / (4 * power(effective_outcomes, 2)))
        / (1 + 3.8416 / effective_outcomes) AS half,
        (
            greatest(share, 1 - share) + 3.8416 / (2 * sessions)
            - 1.96 * sqrt(share * (1 - share) / sessions + 3.8416 / (4 * power(sessions, 2)))
        ) / (1 + 3.8416 / sessions) AS chance_low
    FROM effective
)

SELECT
    ticker,
    model_type,
    model_version,
    outcomes,
    sessions,
    newest_outcome,
    effective_outcomes,
    hit_rate,
    greatest(centre - half, 0) AS hit_rate_low,
    least(centre + half, 1) AS hit_rate_high,
    chance,
    greatest(chance_low, 0) AS chance_low,
    CASE
        WHEN centre - half > chance THEN 'better than chance'
        WHEN centre + half < chance_low THEN 'worse than chance'
        ELSE 'not distinguishable from chance'
    END AS verdict,
    brier,
    share * (1 - share) AS brier_of_share
FROM bounds
