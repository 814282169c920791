"""The five dashboards: what each panel asks of Prometheus."""

from infra.grafana.panels import Dashboard, Panel

_RATE = "[$__rate_interval]"


def _rate(metric: str, by: str = "") -> str:
    """The sum of a counter's increase per second, by labels."""
    grouping = f" by ({by}) " if by else ""
    return f"sum{grouping}(rate({metric}{_RATE}))"


def _quantiles(metric: str, by: str = "") -> dict[str, str]:
    """Median and tail of a histogram, by a label."""
    labels = f"{by}, le" if by else "le"
    legend = f" {{{{{by}}}}}" if by else ""
    return {
        f"p{share * 100:.0f}{legend}": f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{_RATE})))"
        for share in (0.5, 0.95, 0.99)
    }


SYSTEM = Dashboard(
    "riskee-system-overview",
    "System overview",
    (
        Panel("Processes that answer", {"{{job}} {{instance}}": "up"}, kind="stat", width=12),
        Panel("Alerts that fire", {"alerts": 'count(ALERTS{alertstate="firing"}) or vector(0)'}, kind="stat", width=4),
        Panel(
            "Dependencies",
            {"{{job}}: {{dependency}}": "min by (job, dependency) (riskee_dependency_up)"},
            kind="stat",
            about="1 while it answers",
        ),
        Panel("Requests by route", {"{{route}}": _rate("riskee_http_requests_total", "route")}, "reqps"),
        Panel("Requests by status", {"{{code}}": _rate("riskee_http_requests_total", "code")}, "reqps"),
        Panel("Messages handled", {"{{durable}}": _rate('riskee_messages_total{end="ok"}', "durable")}, "cps"),
        Panel(
            "Errors",
            {
                "{{job}} requests": "job:riskee_http_errors:ratio_rate5m",
                "{{job}} messages": "job:riskee_message_errors:ratio_rate5m",
            },
            "percentunit",
            about="alerts at 1 % and 5 %",
        ),
        Panel("Time to answer a request", _quantiles("riskee_http_seconds"), "s"),
        Panel("Latency by route, p95", {"{{route}}": _quantiles("riskee_http_seconds", "route")["p95 {{route}}"]}, "s"),
        Panel("Starts in an hour", {"{{job}}": "sum by (job) (changes(process_start_time_seconds[1h]))"}),
        Panel("Open streams", {"connections": "sum(riskee_stream_connections)"}),
        Panel("Refused", {"denied": f"{_rate('riskee_http_denied_total')} or vector(0)"}, "reqps"),
    ),
)
PREDICTIONS = Dashboard(
    "riskee-prediction-monitoring",
    "Prediction monitoring",
    (
        Panel("Predictions", {"{{model_type}}": _rate("riskee_predictions_total", "model_type")}, "cps"),
        Panel(
            "Predictions by the ticker's first letter",
            {"{{initial}}": _rate("riskee_predictions_by_initial_total", "initial")},
            "cps",
        ),
        Panel("Flags", {"{{flag}}": _rate("riskee_predictions_flagged_total", "flag")}, "cps"),
        Panel(
            "Confidence",
            {"{{le}}": f"sum by (le) (increase(riskee_prediction_confidence_ratio_bucket{_RATE}))"},
            kind="heatmap",
            about="the probability of the likelier direction; 0.5 is none",
        ),
        Panel(
            "Quotes without a prediction",
            {"{{status}}": f"{_rate('riskee_predictions_failed_total', 'status')} or vector(0)"},
            "cps",
        ),
        Panel(
            "Accuracy",
            {"{{model_type}}": "riskee_outcomes_accuracy:ratio"},
            "percentunit",
            about="of the newest 90 days of outcomes",
        ),
        Panel("Cache hits", {"hits": "riskee_cache_hits:ratio_rate5m"}, "percentunit", about="alert below 70 %"),
        Panel("Cache reads", {"{{key}} {{end}}": _rate("riskee_cache_reads_total", "key, end")}, "ops"),
        Panel("Explanations", {"{{generator}}": _rate("riskee_explanations_total", "generator")}, "cps"),
    ),
)
MODELS = Dashboard(
    "riskee-model-performance",
    "Model performance",
    (
        Panel("Models that predict", {"": "max by (model_type, model_version) (riskee_model_info)"}, kind="table"),
        Panel(
            "Age of what they learnt",
            {
                "{{model_type}}": "scalar(max(riskee_feed_data_time_seconds)) "
                "- max by (model_type) (riskee_model_trained_through_timestamp_seconds)"
            },
            "s",
            "stat",
            about="from the last day of the training to the newest quote",
        ),
        Panel(
            "Outcomes",
            {"{{model_type}}: said {{said}}, came {{came}}": "riskee_outcomes"},
            kind="bargauge",
            about="of the newest 90 days of data",
        ),
        Panel("Accuracy", {"{{model_type}}": "riskee_outcomes_accuracy:ratio"}, "percentunit"),
        Panel(
            "Precision, recall, F1 of a rise",
            {
                "precision {{model_type}}": "riskee_outcomes_precision:ratio",
                "recall {{model_type}}": "riskee_outcomes_recall:ratio",
                "F1 {{model_type}}": "riskee_outcomes_f1:ratio",
            },
            "percentunit",
        ),
        Panel("Brier score", {"{{model_type}}": "riskee_outcome_brier_ratio"}, about="0.25 is that of a coin"),
        Panel("80 % interval holds", {"{{model_type}}": "riskee_outcome_coverage_ratio"}, "percentunit"),
        Panel(
            "Evidence of decay",
            {"{{model_type}} {{measure}}": "max by (model_type, measure) (riskee_model_decay_evidence_ratio)"},
            about="at 1 the test has fired",
        ),
        Panel("Drift, p-value", {"{{model_type}}": "riskee_feature_drift_p_value_ratio"}, about="alert at 0.05"),
        Panel(
            "Drift by feature",
            {"{{model_type}} {{feature}}": "topk(10, riskee_feature_drift_distance_ratio)"},
            kind="bargauge",
            about="distance from the training data, as a multiple of the usual one",
        ),
        Panel(
            "What the models look at",
            {"{{model_type}} {{feature}}": "topk(20, max by (model_type, feature) (riskee_model_feature_gain_ratio))"},
            "percentunit",
            "bargauge",
        ),
        Panel("Time of one model call", _quantiles("riskee_model_seconds", "model_type"), "s"),
    ),
)
INFRASTRUCTURE = Dashboard(
    "riskee-infrastructure-health",
    "Infrastructure health",
    (
        Panel(
            "Processors of the host",
            {"used": f'1 - avg(rate(node_cpu_seconds_total{{mode="idle"}}{_RATE}))'},
            "percentunit",
        ),
        Panel("Processor time by process", {"{{job}}": _rate("process_cpu_seconds_total", "job")}),
        Panel("Memory by process", {"{{job}}": "sum by (job) (process_resident_memory_bytes)"}, "bytes"),
        Panel(
            "Memory of the host",
            {"available": "sum(node_memory_MemAvailable_bytes)", "of": "sum(node_memory_MemTotal_bytes)"},
            "bytes",
        ),
        Panel("Disk used", {"{{folder}}": "riskee_disk_used:ratio"}, "percentunit", about="alert at 90 %"),
        Panel(
            "Disk input and output",
            {"read": _rate("node_disk_read_bytes_total"), "written": _rate("node_disk_written_bytes_total")},
            "Bps",
        ),
        Panel(
            "Network",
            {
                "in {{device}}": _rate("node_network_receive_bytes_total", "device"),
                "out {{device}}": _rate("node_network_transmit_bytes_total", "device"),
            },
            "Bps",
        ),
        Panel("Connections to the database", {"{{state}}": "max by (state) (riskee_database_connections)"}),
        Panel("Size of the database", {"{{database}}": "max by (database) (riskee_database_size_bytes)"}, "bytes"),
        Panel("Transactions", {"{{datname}}": _rate("pg_stat_database_xact_commit", "datname")}, "cps"),
        Panel("Redis memory", {"used": "sum(redis_memory_used_bytes)"}, "bytes"),
        Panel("Redis commands", {"commands": _rate("redis_commands_processed_total")}, "ops"),
        Panel("Streams", {"{{stream}}": "max by (stream) (riskee_bus_stream_size_bytes)"}, "bytes"),
        Panel("Open files", {"{{job}}": "sum by (job) (process_open_fds)"}),
        Panel("Rows written", {"{{table}}": _rate("riskee_rows_written_total", "table")}, "rowsps"),
    ),
)
LIVE = Dashboard(
    "riskee-live-path",
    "Live path",
    (
        Panel("Feeds", {"{{feed}}: {{status}}": "max by (feed, status) (riskee_feed_status) == 1"}, kind="stat"),
        Panel("Quotes", {"{{feed}}": _rate("riskee_quotes_published_total", "feed")}, "cps"),
        Panel("Age of quotes", {"of {{share}} of the tickers": "max by (share) (riskee_quote_age_seconds)"}, "s"),
        Panel("From quote to prediction", _quantiles("riskee_tick_seconds"), "s"),
        Panel(
            "Time to handle a batch, p95",
            {"{{durable}}": _quantiles("riskee_batch_seconds", "durable")["p95 {{durable}}"]},
            "s",
        ),
        Panel(
            "Messages in a batch, p95",
            {"{{durable}}": _quantiles("riskee_batch_messages", "durable")["p95 {{durable}}"]},
        ),
        Panel("Backlog", {"{{durable}}": "max by (durable) (riskee_queue_depth)"}),
        Panel("Time that the backlog takes", {"{{durable}}": "durable:riskee_lag_seconds:current"}, "s"),
        Panel(
            "Messages kept",
            {"{{stream}}": "max by (stream) (riskee_bus_stream_messages)"},
            about="DEAD_LETTER: alert above 0",
        ),
        Panel("Quotes overtaken", {"quotes": _rate("riskee_quotes_coalesced_total")}, "cps"),
        Panel("Messages to streams", {"{{type}}": _rate("riskee_stream_messages_total", "type")}, "cps"),
        Panel(
            "Predictors and what they hold",
            {"predictors": "max(riskee_predictors)", "units": "sum(riskee_partitions_held)"},
        ),
        Panel("Answers of the language model", _quantiles("riskee_llm_seconds"), "s"),
        Panel("Tokens", {"{{way}}": _rate("riskee_llm_tokens_total", "way")}, "cps"),
        Panel("Explanations that wait", {"requests": "sum(riskee_explanations_waiting)"}),
    ),
)
DASHBOARDS = (SYSTEM, PREDICTIONS, MODELS, INFRASTRUCTURE, LIVE)
