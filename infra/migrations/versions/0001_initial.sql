-- The schema of version 0.1. The partition_by clauses are empty where TimescaleDB makes a hypertable of the table.

CREATE TABLE tickers (
    ticker text NOT NULL,
    name text NOT NULL,
    is_index boolean NOT NULL DEFAULT false,
    source text NOT NULL,
    PRIMARY KEY (ticker)
);

CREATE TABLE trading_sessions (
    session_date date NOT NULL,
    opens_at timestamptz NOT NULL,
    closes_at timestamptz NOT NULL,
    PRIMARY KEY (session_date)
);

CREATE TABLE market_data (
    ticker text NOT NULL,
    resolution text NOT NULL,
    timestamp timestamptz NOT NULL,
    version smallint NOT NULL DEFAULT 1,
    open double precision NOT NULL,
    high double precision NOT NULL,
    low double precision NOT NULL,
    close double precision NOT NULL,
    volume double precision NOT NULL,
    adjustment_factor double precision NOT NULL,
    dividend double precision NOT NULL,
    split double precision NOT NULL,
    source text NOT NULL,
    known_at timestamptz NOT NULL,
    PRIMARY KEY (ticker, resolution, timestamp, version)
) {partition_by(timestamp)};

CREATE TABLE quotes (
    quote_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    feed text NOT NULL,
    ticker text NOT NULL,
    data_time timestamptz NOT NULL,
    session_date date NOT NULL,
    sequence bigint NOT NULL,
    price double precision NOT NULL,
    open double precision NOT NULL,
    high double precision NOT NULL,
    low double precision NOT NULL,
    volume double precision NOT NULL,
    adjustment_factor double precision NOT NULL,
    final boolean NOT NULL,
    PRIMARY KEY (quote_id, received_at)
) {partition_by(received_at)};
CREATE INDEX quotes_ticker_received_at_idx ON quotes (ticker, received_at);

CREATE TABLE predictions (
    prediction_id uuid NOT NULL,
    prediction_time timestamptz NOT NULL,
    quote_id uuid NOT NULL,
    ticker text NOT NULL,
    feed text NOT NULL,
    data_time timestamptz NOT NULL,
    as_of timestamptz NOT NULL,
    session_date date NOT NULL,
    horizon text NOT NULL,
    model_type text NOT NULL,
    model_version text NOT NULL,
    feature_set text NOT NULL,
    price double precision NOT NULL,
    expected_return double precision NOT NULL,
    predicted_price double precision NOT NULL,
    p_up double precision NOT NULL,
    confidence double precision NOT NULL,
    price_p10 double precision NOT NULL,
    price_p50 double precision NOT NULL,
    price_p90 double precision NOT NULL,
    flags text[] NOT NULL,
    PRIMARY KEY (prediction_id, prediction_time)
) {partition_by(prediction_time)};
CREATE INDEX predictions_ticker_prediction_time_idx ON predictions (ticker, prediction_time);

CREATE TABLE explanations (
    explanation_id uuid NOT NULL,
    prediction_id uuid NOT NULL,
    ticker text NOT NULL,
    data_time timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    text text NOT NULL,
    drivers jsonb NOT NULL,
    sources jsonb NOT NULL,
    generator text NOT NULL,
    verified boolean NOT NULL,
    llm text NOT NULL,
    prompt_version text NOT NULL,
    seconds double precision NOT NULL,
    PRIMARY KEY (explanation_id)
);
CREATE INDEX explanations_prediction_id_idx ON explanations (prediction_id);
CREATE INDEX explanations_ticker_created_at_idx ON explanations (ticker, created_at);

CREATE TABLE earnings_calendar (
    ticker text NOT NULL,
    report_date date NOT NULL,
    known_at timestamptz NOT NULL,
    eps_estimate double precision,
    eps_reported double precision,
    source text NOT NULL,
    PRIMARY KEY (ticker, report_date)
);

CREATE TABLE macro_series (
    series text NOT NULL,
    period_start date NOT NULL,
    value double precision NOT NULL,
    unit text NOT NULL,
    known_at timestamptz NOT NULL,
    source text NOT NULL,
    PRIMARY KEY (series, period_start)
);

CREATE TABLE documents (
    document_id uuid NOT NULL,
    collection text NOT NULL,
    ticker text,
    title text NOT NULL,
    body text NOT NULL,
    source text NOT NULL,
    published_at timestamptz NOT NULL,
    known_at timestamptz NOT NULL,
    content_sha256 text NOT NULL,
    PRIMARY KEY (document_id)
);
CREATE INDEX documents_collection_known_at_idx ON documents (collection, known_at);

CREATE TABLE features_daily (
    ticker text NOT NULL,
    session_date date NOT NULL,
    return_1d double precision,
    return_5d double precision,
    return_20d double precision,
    return_60d double precision,
    return_120d double precision,
    return_252d double precision,
    volatility_5d double precision,
    volatility_20d double precision,
    volatility_60d double precision,
    volume_ratio_5d double precision,
    volume_ratio_20d double precision,
    dollar_volume_20d double precision,
    beta_60d double precision,
    market_return_1d double precision,
    market_volatility_20d double precision,
    rsi_14 double precision,
    macd double precision,
    sma_50_200 double precision,
    bollinger_20 double precision,
    atr_14 double precision,
    sessions_to_earnings double precision,
    sessions_since_earnings double precision,
    earnings_move double precision,
    PRIMARY KEY (ticker, session_date)
);
CREATE INDEX features_daily_session_date_idx ON features_daily (session_date);

CREATE TABLE model_metadata (
    model_version text NOT NULL,
    model_type text NOT NULL,
    alias text,
    artifact bytea NOT NULL,
    artifact_sha256 text NOT NULL,
    feature_set text NOT NULL,
    horizon text NOT NULL,
    trained_from date NOT NULL,
    trained_through date NOT NULL,
    training_rows integer NOT NULL,
    data_sha256 text NOT NULL,
    code_version text NOT NULL,
    parameters jsonb NOT NULL,
    metrics jsonb NOT NULL,
    baselines jsonb NOT NULL,
    decision text NOT NULL,
    reason text NOT NULL,
    run_id text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (model_version)
);
CREATE UNIQUE INDEX model_metadata_champion_key ON model_metadata (model_type) WHERE alias = 'champion';

CREATE TABLE quarantine (
    quarantine_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    origin text NOT NULL,
    reason text NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (quarantine_id)
);
CREATE INDEX quarantine_origin_received_at_idx ON quarantine (origin, received_at);

CREATE TABLE data_imports (
    import_id uuid NOT NULL,
    source text NOT NULL,
    file_name text NOT NULL,
    content_sha256 text NOT NULL,
    rows_read bigint NOT NULL,
    rows_accepted bigint NOT NULL,
    rows_quarantined bigint NOT NULL,
    imported_at timestamptz NOT NULL,
    PRIMARY KEY (import_id)
);

CREATE TABLE feed_state (
    feed text NOT NULL,
    pass_number integer NOT NULL,
    session_date date NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (feed)
);

-- The latest version of every bar. Filter on "timestamp", by which the table is cut, not on session_date.
CREATE VIEW bars AS
SELECT
    ticker,
    resolution,
    "timestamp",
    CAST("timestamp" AT TIME ZONE 'UTC' AS date) AS session_date,
    version,
    open,
    high,
    low,
    close,
    volume,
    adjustment_factor,
    dividend,
    split,
    source,
    known_at
FROM market_data AS bar
WHERE NOT EXISTS (
    SELECT 1
    FROM market_data AS newer
    WHERE newer.ticker = bar.ticker
        AND newer.resolution = bar.resolution
        AND newer."timestamp" = bar."timestamp"
        AND newer.version > bar.version
);

-- riskee_ema(value, alpha) is e_1 = x_1, e_t = e_(t-1) + alpha (x_t - e_(t-1)); a NULL value is passed over.
-- Being strict with no initial state, the aggregate starts from its first value.
CREATE FUNCTION riskee_ema_step(average double precision, value double precision, alpha double precision)
RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS 'BEGIN RETURN average + alpha * (value - average); END';

CREATE AGGREGATE riskee_ema(double precision, double precision) (
    SFUNC = riskee_ema_step,
    STYPE = double precision
);
