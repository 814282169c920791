"""Every metric, declared once: docs/metrics.md is made from this. Times are seconds, sizes bytes, moments Unix times.

No label takes a ticker, a user or a path: a series costs memory for as long as a process lives.
"""

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

from riskee.tally import CountsBy, Tally

# With the bounds that alerts ask for: 0.05 s of a tick, 2 s of a request.
_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
_WAVE = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)

DEPENDENCY_UP = Gauge("riskee_dependency_up", "1 while a dependency answers", ["dependency"])

QUOTES_PUBLISHED = Counter("riskee_quotes_published_total", "quotes the bus has acknowledged", ["feed"])
QUOTES_REFUSED = Counter("riskee_quotes_refused_total", "quotes that failed validation", ["reason"])
FEED_DATA_TIME = Gauge("riskee_feed_data_time_seconds", "data time of the newest quote, as a Unix time", ["feed"])
FEED_STATUS = Gauge("riskee_feed_status", "1 for the status that a feed has, as predict sees it", ["feed", "status"])
QUOTE_AGE = Gauge(
    "riskee_quote_age_seconds",
    "since the last quote of a ticker of this predictor came: at most so long ago for this share of its tickers",
    ["share"],  # not `quantile`, which is a summary's
)
FEED_CONNECTIONS_LOST = Counter("riskee_feed_connections_lost_total", "connections of a feed that broke", ["feed"])
FEED_UNREADABLE = Counter("riskee_feed_unreadable_total", "messages of a feed that could not be read", ["feed"])
FEED_FILLED = Counter("riskee_feed_filled_total", "minute bars fetched for what a feed had missed", ["feed"])

MESSAGES = Counter("riskee_messages_total", "messages by their end: ok or dead", ["durable", "end"])
BATCH_SIZE = Histogram("riskee_batch_messages", "messages handled together", ["durable"], buckets=_WAVE)
BATCH_SECONDS = Histogram("riskee_batch_seconds", "time to handle a batch", ["durable"], buckets=_FAST)
RETRIES = Counter("riskee_retries_total", "batches held back because a server was away", ["durable"])
MESSAGES_EXPIRED = Counter(
    "riskee_messages_expired_total",
    "about how many messages were removed from their stream without ever being delivered",
    ["durable"],
)
QUEUE_DEPTH = Gauge("riskee_queue_depth", "messages not yet acknowledged or delivered", ["durable"])

PREDICTIONS = Counter("riskee_predictions_total", "predictions published", ["model_type"])
PREDICTIONS_FAILED = Counter("riskee_predictions_failed_total", "quotes without a prediction", ["status"])
PREDICTIONS_BY_INITIAL = CountsBy(
    "riskee_predictions_by_initial_total",
    "predictions published, by the ticker's first character: few groups however many tickers there are",
    "initial",
)
PREDICTIONS_FLAGGED = CountsBy("riskee_predictions_flagged_total", "predictions published with a flag", "flag")
PREDICTION_CONFIDENCE = Tally(
    "riskee_prediction_confidence_ratio",
    "confidence of the predictions published, the probability of the likelier direction",
    (0.5, 0.505, 0.51, 0.52, 0.53, 0.54, 0.55, 0.575, 0.6, 0.65, 0.7, 0.8, 0.9),
)
NUMBERS_FLAGGED = Counter("riskee_numbers_flagged_total", "last numbers that are no current ones any more", ["status"])
MODEL_SECONDS = Histogram("riskee_model_seconds", "time of one model call", ["model_type"], buckets=_FAST)
TICK_SECONDS = Histogram(
    "riskee_tick_seconds", "of each wave's oldest quote: from receipt to its published prediction", buckets=_FAST
)
QUOTES_COALESCED = Counter(
    "riskee_quotes_coalesced_total",
    "quotes that were not predicted, because a later one of their ticker or a later session had come",
)
STATE_REBUILDS = Counter("riskee_state_rebuilds_total", "times the feature state was built from the database")

MODEL_INFO = Gauge("riskee_model_info", "1 for the model that predicts", ["model_type", "model_version"])
MODEL_TRAINED_THROUGH = Gauge(
    "riskee_model_trained_through_timestamp_seconds", "the last day that the model learnt from", ["model_type"]
)
MODEL_VALID_UNTIL = Gauge(
    "riskee_model_valid_until_timestamp_seconds", "the last day of data that the model may predict", ["model_type"]
)
MODEL_GAIN = Gauge(
    "riskee_model_feature_gain_ratio",
    "share of a feature in the loss that the model's splits saved: what it looks at",
    ["model_type", "feature"],
)

PARTITIONS_HELD = Gauge("riskee_partitions_held", "units of the work on quotes that this predictor does")
PARTITION_MOVES = Counter("riskee_partition_moves_total", "units taken or given_up by this predictor", ["move"])
PREDICTORS = Gauge("riskee_predictors", "predictors that live, as this one hears")
PREDICTORS_EXPECTED = Gauge("riskee_expected_predictors", "predictors that should run, as record is told")

_SLOW = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 60.0)
EXPLANATIONS = Counter("riskee_explanations_total", "explanations published, by model or template", ["generator"])
EXPLANATION_SECONDS = Histogram(
    "riskee_explanation_seconds", "time to write an explanation", ["generator"], buckets=_SLOW
)
EXPLANATIONS_REUSED = Counter(
    "riskee_explanations_reused_total", "requests answered by an explanation that was made: cached or shared", ["how"]
)
EXPLANATIONS_WAITING = Gauge("riskee_explanations_waiting", "requests that wait for the language model")
SENTENCES_DROPPED = Counter("riskee_sentences_dropped_total", "sentences of the language model refused", ["reason"])
LLM_SECONDS = Histogram(
    "riskee_llm_seconds", "time of one answer of the language model, to its end or failure", ["model"], buckets=_SLOW
)
LLM_TOKENS = Counter("riskee_llm_tokens_total", "tokens of the language model, read or written", ["way"])
MATERIAL_MOVES = Counter(
    "riskee_material_moves_total", "material moves by their end: asked, held_back by the rate, or failed", ["end"]
)

ROWS_WRITTEN = Counter("riskee_rows_written_total", "rows new to the database", ["table"])

CACHE_READS = Counter("riskee_cache_reads_total", "cache reads by their end: hit, miss or error", ["key", "end"])
CACHE_WRITE_ERRORS = Counter("riskee_cache_write_errors_total", "writes that the cache did not take")

HTTP_REQUESTS = Counter("riskee_http_requests_total", "requests answered", ["route", "code"])
HTTP_SECONDS = Histogram("riskee_http_seconds", "time to answer a request", ["route"], buckets=_FAST)
HTTP_DENIED = Counter("riskee_http_denied_total", "requests and WebSockets refused", ["kind"])
RATE_UNCHECKED = Counter("riskee_rate_unchecked_total", "requests let through because Redis could not count them")
STREAM_CONNECTIONS = Gauge("riskee_stream_connections", "connections of the stream that are open")
STREAM_MESSAGES = Counter("riskee_stream_messages_total", "messages of the stream sent", ["type"])
STREAM_RESUMES = Counter("riskee_stream_resumes_total", "clients that came back: resumed, or begun anew", ["end"])
STREAM_ENDED = Counter("riskee_stream_ended_total", "clients refused or closed by the server", ["reason"])

TRACE_SPANS = Counter(
    "riskee_trace_spans_total",
    "spans by their end: sent, lost because the collector did not take them, dropped because too many waited",
    ["end"],
)

# What record observes of the whole (serving/consumers/observing.py), every half minute.
OBSERVED = Gauge("riskee_observed_timestamp_seconds", "when a part of the whole was last observed", ["part"])
DATABASE_SIZE = Gauge("riskee_database_size_bytes", "size of the database on disk", ["database"])
DATABASE_BEGUN = Gauge(
    "riskee_database_begun_timestamp_seconds", "when the data of the database's server was begun", ["database"]
)
DATABASE_CONNECTIONS = Gauge("riskee_database_connections", "connections to the server, by their state", ["state"])
DATABASE_CONNECTIONS_LIMIT = Gauge(
    "riskee_database_connections_limit", "connections that the server lets in", ["database"]
)
DISK_SIZE = Gauge("riskee_disk_size_bytes", "size of the disk with this folder", ["folder"])
DISK_FREE = Gauge("riskee_disk_free_bytes", "what is free on the disk with this folder", ["folder"])
BUS_STREAM_MESSAGES = Gauge("riskee_bus_stream_messages", "messages that a stream of the bus keeps", ["stream"])
BUS_STREAM_SIZE = Gauge("riskee_bus_stream_size_bytes", "size of a stream of the bus", ["stream"])
BUS_STREAM_LIMIT = Gauge(
    "riskee_bus_stream_limit_bytes", "size at which a stream drops its oldest messages", ["stream"]
)
OUTCOMES = Gauge(
    "riskee_outcomes",
    "outcomes of the champion's predictions in the newest 90 days of data, by what was said and what came",
    ["model_type", "said", "came"],
)
OUTCOME_BRIER = Gauge("riskee_outcome_brier_ratio", "Brier score of these outcomes; less is better", ["model_type"])
OUTCOME_COVERAGE = Gauge(
    "riskee_outcome_coverage_ratio", "share of these outcomes within their 80 % interval", ["model_type"]
)
DECAY_EVIDENCE = Gauge(
    "riskee_model_decay_evidence_ratio",
    "evidence that the champion is worse than it says, as a share of what is enough: at 1 the test has fired",
    ["model_type", "measure"],
)
DRIFT_P_VALUE = Gauge(
    "riskee_feature_drift_p_value_ratio", "p-value of the last test for drift of the features", ["model_type"]
)
DRIFT_DISTANCE = Gauge(
    "riskee_feature_drift_distance_ratio",
    "a feature's distance from the training data, as a multiple of the usual one",
    ["model_type", "feature"],
)
MODEL_WATCHED = Gauge(
    "riskee_model_watched_timestamp_seconds", "when Dagster last tested a champion for decay and drift", ["model_type"]
)
DAGSTER_UP = Gauge(
    "riskee_dagster_up", "1 while a part of Dagster works, as record sees it: webserver, daemon, code", ["part"]
)
BACKUP_COMPLETED = Gauge(
    "riskee_backup_completed_timestamp_seconds",
    "full: when the newest complete backup began; log: when the database's log was last stored; 0: never",
    ["kind"],
)
BACKUP_TARGETS = Gauge(
    "riskee_backup_targets",
    "places where Dagster keeps backups each night, as record is told: 1, or 0 where none is named and made",
    ["profile"],
)

EXPOSITION_TYPE = CONTENT_TYPE_LATEST


def exposition() -> bytes:
    """All metrics of this process in Prometheus's text form."""
    return generate_latest()
