"""The branches of the tree of settings for servers, models and services."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from riskee.settings.access import AuditSettings, GuardSettings, JwtSettings, LimitSettings, TlsSettings
from riskee.settings.addresses import AUTHORITY, PASSWORD, Address
from riskee.settings.retrieval import RetrievalSettings
from riskee.settings.section import Listed, Section

_ORIGIN = re.compile(r"https?://[^/*\s]+")


class DatabaseSettings(Address):
    """PostgreSQL or TimescaleDB: the truth."""

    url: SecretStr = Field(
        SecretStr("postgresql+psycopg://riskee@localhost:5432/riskee"), description="SQLAlchemy address of the database"
    )
    password: SecretStr | None = PASSWORD
    pool_size: int = Field(4, ge=1, description="connections kept by each process")
    predictions_retention_days: int = Field(90, ge=1, description="days for which predictions are kept")
    compress_after_days: int = Field(7, ge=1, description="age at which chunks are compressed, where the tier can")


class RedisSettings(Address):
    """The cache."""

    url: SecretStr = Field(SecretStr("redis://localhost:6379/0"), description="address of the Redis server")
    password: SecretStr | None = PASSWORD
    authority: Path | None = AUTHORITY
    sentinels: Listed = Field(
        (),
        description="addresses of Redis Sentinels, host:port; with any, the host in the address is the master's name",
    )
    sentinel_user: str = Field("", description="user that asks the Sentinels for the master, where they know users")
    sentinel_password: SecretStr | None = Field(None, description="password by which the Sentinels are asked")
    timeout_seconds: float = Field(0.5, gt=0, description="longest wait for one answer")


class NatsSettings(Address):
    """The message bus."""

    url: SecretStr = Field(
        SecretStr("nats://localhost:4222"), description="address of the NATS server; several with commas between"
    )
    password: SecretStr | None = PASSWORD
    authority: Path | None = AUTHORITY
    replicas: int = Field(1, ge=1, le=5, description="servers of a NATS cluster that keep each stream")
    store_limit_bytes: int = Field(
        0, ge=0, description="cap for each stream's size, for a small disk; 0 keeps the sizes of the stream table"
    )


class ConsumerSettings(Section):
    """The services that read the bus."""

    stalled_after_seconds: float = Field(
        60.0,
        gt=0,
        description="a service ends, to be started anew, when messages wait so long and none is finished, though the "
        "servers answer; the tries of a message that alone meets a defect end after as long",
    )
    drain_seconds: float = Field(
        7.0, gt=0, description="longest time to finish what has arrived when a service is asked to stop"
    )
    shared: bool = Field(
        False,
        description="several of `record`, and of `explain`, share the messages of durables that are made from now on",
    )


class VectorSettings(Section):
    """Qdrant."""

    url: str = Field("http://localhost:6333", description="address of the Qdrant server")
    api_key: SecretStr | None = Field(None, description="API key of the Qdrant server")
    authority: Path | None = AUTHORITY
    timeout_seconds: float = Field(10.0, gt=0, description="longest wait for one answer")
    shards: int | None = Field(
        None, ge=1, description="parts into which a collection is divided when it is made; None: Qdrant's own default"
    )
    replicas: int = Field(
        1, ge=1, description="servers of a Qdrant cluster that keep each part of a collection, from when it is made"
    )


class EmbeddingSettings(Section):
    """What turns text into vectors."""

    backend: Literal["onnx", "sentence-transformers"] = Field("onnx", description="implementation")
    model: Literal["all-MiniLM-L6-v2", "all-mpnet-base-v2"] = Field("all-MiniLM-L6-v2", description="model")


class LlmSettings(Section):
    """The local language model."""

    url: str = Field("http://localhost:11434", description="address of the Ollama server")
    model: str = Field("qwen2.5-coder:0.5b", description="model that writes the explanations")
    weights: Path | None = Field(None, description="a GGUF file to use instead of the downloaded weights")
    timeout_seconds: float = Field(30.0, gt=0, description="longest wait for one generation")
    concurrency: int = Field(2, ge=1, le=3, description="generations under way at once")


class ModelSettings(Section):
    """Prediction models."""

    market_ticker: str = Field("SPX", description="index whose returns are the market features")
    # A report is known 10 sessions ahead at most, and one that is not is counted as that far: it must lie outside.
    earnings_window_sessions: int = Field(
        5, ge=0, le=9, description="sessions around a report in which `earnings` predicts"
    )
    holdout_sessions: int = Field(
        126, ge=0, description="sessions before the replayed ones that no model is made from, to score it on once"
    )
    expires_after_days: int = Field(
        400, ge=1, description="days of data after the newest session at its training a model may serve"
    )
    threads: int = Field(1, ge=1, description="threads of one LightGBM prediction call")


class PredictSettings(Section):
    """Several predictors that share the tickers."""

    processes: int = Field(
        1,
        ge=1,
        le=32,
        description="predictors that should run: the embedded stack starts so many; elsewhere an alert tells of the "
        "missing ones, when record knows the number",
    )
    partitions: int | None = Field(
        None, ge=1, le=32, description="into how many parts the tickers are divided; None: as many as `processes`"
    )

    precedence: int = Field(
        5,
        ge=0,
        le=19,
        description="niceness that the embedded stack gives record and api, so that predict comes first where "
        "processors are short; explain, Dagster, qdrant and ollama get three times as much; 0: all alike",
    )

    @property
    def parts(self) -> int:
        """The number of partitions: what ingest publishes by and predictors share."""
        return self.partitions or self.processes


class RetrainingSettings(Section):
    """When models are trained again."""

    after_sessions: int = Field(21, ge=1, description="new sessions after which a model type is trained again")
    drift_sessions: int = Field(60, ge=5, description="sessions of a block that the test for drift compares")
    drift_level: float = Field(
        0.05, gt=0, lt=1, description="rate of false alarms of the test for drift, once for each block"
    )
    decay_level: float = Field(
        0.05, gt=0, lt=1, description="rate of false alarms of the tests for decay, over the life of a model"
    )
    cooldown_hours: float = Field(24.0, ge=0, description="shortest time from one training to the next by a sensor")


class InitiativeSettings(Section):
    """Explanations that nobody asked for: of material moves (docs/explanations.md says what counts as one)."""

    per_minute: int = Field(1, ge=0, description="most explanations begun unasked in a minute; 0: none ever")
    ticker_minutes: float = Field(30.0, gt=0, le=1440, description="a ticker explained so lately is left alone")
    top_percent: float = Field(
        1.0, gt=0, lt=100, description="a forecast is strong that is among so many per cent of the latest ones"
    )
    least_strength: float = Field(
        0.1, ge=0, description="least expected move of a strong forecast, in halves of its own 80 % interval"
    )
    price_move: float = Field(
        2.0,
        gt=0,
        description="a price has moved much that lies so many halves of the 80 % interval from the session's first",
    )


class ExplanationSettings(Section):
    """Explanations."""

    documents: int = Field(3, ge=1, le=10, description="documents given to the language model")
    drivers: int = Field(4, ge=1, le=10, description="attributions given to the language model")
    # Shorter than `consumers.stalled_after_seconds`: one explanation under way is no stall.
    answer_within_seconds: float = Field(
        26.0, gt=0, le=45, description="age of a request at which the template answers instead of the language model"
    )
    queue: int = Field(
        8, ge=0, description="requests that wait for the language model at most; the template answers one more at once"
    )
    show_drafts: bool = Field(
        False, description="tell with the progress what the language model writes before it is checked"
    )
    initiative: InitiativeSettings = InitiativeSettings()
    retrieval: RetrievalSettings = RetrievalSettings()


class ApiSettings(Section):
    """REST and WebSocket."""

    host: str = Field("127.0.0.1", description="address the API binds to")
    port: int = Field(8000, ge=1, le=65535, description="port of the API")
    fresh_timeout_seconds: float = Field(5.0, gt=0, description="longest wait for a prediction computed on request")
    job_seconds: float = Field(120.0, gt=0, description="longest time that predictions computed on request may take")
    explain_timeout_seconds: float = Field(60.0, gt=0, description="longest wait for an explanation on request")
    token: SecretStr | None = Field(None, description="key or token that the commands call the API with")
    allowed_hosts: Listed = Field(
        (), description="names that the API is called by; none: on loopback those of this machine, elsewhere any"
    )
    allowed_origins: Listed = Field(
        (), description="origins whose pages may call the API besides its own, such as https://app.example"
    )
    trusted_proxies: Listed = Field(
        (), description="addresses or networks of proxies whose X-Forwarded-For and -Proto are believed"
    )
    guard: GuardSettings = GuardSettings()
    audit: AuditSettings = AuditSettings()
    jwt: JwtSettings = JwtSettings()
    limits: LimitSettings = LimitSettings()
    tls: TlsSettings = TlsSettings()

    @field_validator("allowed_origins")
    @classmethod
    def _require_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [origin for origin in origins if not _ORIGIN.fullmatch(origin)]
        if wrong:
            raise ValueError(f"{', '.join(wrong)} is no origin: scheme, host and port only, and none for all")
        return origins


class DagsterSettings(Section):
    """The orchestrator, as the other processes see it."""

    url: str = Field("http://localhost:3000", description="address of Dagster's webserver")


class MetricsSettings(Section):
    """Where each consumer serves `/metrics` and `/health`."""

    host: str = Field("127.0.0.1", description="address the metrics servers bind to")
    ingest_port: int = Field(9101, ge=0, le=65535, description="port of ingest")
    predict_port: int = Field(9102, ge=0, le=65535, description="port of predict")
    record_port: int = Field(9103, ge=0, le=65535, description="port of record")
    explain_port: int = Field(9104, ge=0, le=65535, description="port of explain")
