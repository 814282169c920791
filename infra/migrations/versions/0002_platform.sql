-- The data and model platform.

ALTER TABLE tickers ADD COLUMN sector text;

-- In two steps: a compressed hypertable takes a new column with a constant only.
ALTER TABLE market_data ADD COLUMN recorded_at timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00';
ALTER TABLE market_data ALTER COLUMN recorded_at SET DEFAULT now();
CREATE INDEX market_data_recorded_at_idx ON market_data (recorded_at);

-- What a prediction was made from, besides its quote.
ALTER TABLE predictions ADD COLUMN bars_as_of timestamptz;
ALTER TABLE predictions ADD COLUMN market_quote_id uuid;

-- Every bar as it was known at a moment: in the latest version that was known by then. With the second argument, also
-- only what was stored by then: a history imported today counts as known when its sessions closed.
CREATE FUNCTION bars_known_at(known timestamptz, stored timestamptz DEFAULT 'infinity')
RETURNS SETOF bars
LANGUAGE sql STABLE
AS 'SELECT DISTINCT ON (ticker, resolution, "timestamp")
        ticker, resolution, "timestamp", CAST("timestamp" AT TIME ZONE ''UTC'' AS date), version,
        open, high, low, close, volume, adjustment_factor, dividend, split, source, known_at
    FROM market_data
    WHERE "timestamp" <= known AND known_at <= known AND recorded_at <= stored
    ORDER BY ticker, resolution, "timestamp", version DESC';

ALTER TABLE features_daily ADD COLUMN earnings_surprise double precision;

ALTER TABLE documents ADD COLUMN url text;
ALTER TABLE documents ADD COLUMN parent_id uuid;
CREATE INDEX documents_parent_id_idx ON documents (parent_id);

ALTER TABLE model_metadata ADD COLUMN trials integer NOT NULL DEFAULT 1;
ALTER TABLE model_metadata ADD COLUMN evaluation jsonb NOT NULL DEFAULT '{}';

CREATE TABLE track_record (
    sequence bigint NOT NULL,
    prediction_id uuid NOT NULL,
    ticker text NOT NULL,
    model_type text NOT NULL,
    model_version text NOT NULL,
    feed text NOT NULL,
    data_time timestamptz NOT NULL,
    session_date date NOT NULL,
    outcome_session date NOT NULL,
    expected_return double precision NOT NULL,
    p_up double precision NOT NULL,
    interval_low double precision NOT NULL,
    interval_high double precision NOT NULL,
    realised_return double precision NOT NULL,
    scored_at timestamptz NOT NULL,
    previous_sha256 text NOT NULL,
    sha256 text NOT NULL,
    PRIMARY KEY (sequence),
    UNIQUE (prediction_id)
);
CREATE INDEX track_record_ticker_session_date_idx ON track_record (ticker, session_date);
CREATE INDEX track_record_model_version_session_date_idx ON track_record (model_version, session_date);
CREATE UNIQUE INDEX track_record_once_key ON track_record (ticker, data_time, model_version);

CREATE TABLE scoring_progress (
    name text NOT NULL,
    through timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (name)
);

CREATE FUNCTION riskee_append_only() RETURNS trigger
LANGUAGE plpgsql
AS 'BEGIN RAISE EXCEPTION ''% is append-only'', TG_TABLE_NAME USING ERRCODE = ''insufficient_privilege''; END';

CREATE TRIGGER track_record_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON track_record
FOR EACH STATEMENT EXECUTE FUNCTION riskee_append_only();

CREATE TABLE model_events (
    event_id uuid NOT NULL,
    at timestamptz NOT NULL,
    model_type text NOT NULL,
    model_version text NOT NULL,
    action text NOT NULL,
    reason text NOT NULL,
    former_champion text,
    run_id text,
    PRIMARY KEY (event_id)
);
CREATE INDEX model_events_model_type_at_idx ON model_events (model_type, at);

CREATE TABLE data_findings (
    finding_id uuid NOT NULL,
    ticker text NOT NULL,
    session_date date NOT NULL,
    kind text NOT NULL,
    detail text NOT NULL,
    source text NOT NULL,
    found_at timestamptz NOT NULL,
    PRIMARY KEY (finding_id)
);
CREATE INDEX data_findings_ticker_session_date_idx ON data_findings (ticker, session_date);

CREATE TABLE index_membership (
    index_name text NOT NULL,
    ticker text NOT NULL,
    joined date NOT NULL,
    "left" date,
    source text NOT NULL,
    PRIMARY KEY (index_name, ticker, joined)
);

-- What each incremental SQL model has seen, and what has changed upstream since.
CREATE TABLE sql_model_state (
    model text NOT NULL,
    sha256 text NOT NULL,
    seen jsonb NOT NULL,
    ran_at timestamptz NOT NULL,
    PRIMARY KEY (model)
);
CREATE TABLE sql_model_changes (
    model text NOT NULL,
    slice text NOT NULL,
    since date NOT NULL,
    PRIMARY KEY (model, slice)
);
