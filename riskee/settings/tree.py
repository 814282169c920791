"""The tree of settings."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from riskee.settings.backup import BackupSettings
from riskee.settings.files import SUFFIX, secrets_of
from riskee.settings.sections import (
    ApiSettings,
    ConsumerSettings,
    DagsterSettings,
    DatabaseSettings,
    EmbeddingSettings,
    ExplanationSettings,
    LlmSettings,
    MetricsSettings,
    ModelSettings,
    NatsSettings,
    PredictSettings,
    RedisSettings,
    RetrainingSettings,
    VectorSettings,
)
from riskee.settings.sources import (
    AlpacaSettings,
    DataSettings,
    FeedSettings,
    YahooSettings,
)
from riskee.settings.streaming import StreamSettings
from riskee.settings.tracing import TracingSettings

ENV_PREFIX = "RISKEE_"


class Settings(BaseSettings):
    """The tree. Build it with `load_settings`, once, in a composition root."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        nested_model_default_partial_update=True,
    )

    home: Path = Field(Path(".riskee"), description="where everything that a run writes lives")
    profile: Literal["embedded", "compose", "kubernetes"] = Field("embedded", description="who runs the servers")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least severe level logged")
    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    nats: NatsSettings = NatsSettings()
    consumers: ConsumerSettings = ConsumerSettings()
    vectors: VectorSettings = VectorSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    llm: LlmSettings = LlmSettings()
    feed: FeedSettings = FeedSettings()
    data: DataSettings = DataSettings()
    yahoo: YahooSettings = YahooSettings()
    alpaca: AlpacaSettings = AlpacaSettings()
    model: ModelSettings = ModelSettings()
    predict: PredictSettings = PredictSettings()
    retraining: RetrainingSettings = RetrainingSettings()
    explanation: ExplanationSettings = ExplanationSettings()
    api: ApiSettings = ApiSettings()
    stream: StreamSettings = StreamSettings()
    dagster: DagsterSettings = DagsterSettings()
    metrics: MetricsSettings = MetricsSettings()
    tracing: TracingSettings = TracingSettings()
    backup: BackupSettings = BackupSettings()

    @model_validator(mode="after")
    def _require_plain_embedded(self) -> Self:
        if self.profile == "embedded" and self.api.tls.certificate is not None:
            raise ValueError("the embedded stack has its API without TLS: put a proxy before it")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 (the signature is pydantic's)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment above what the embedded stack wrote and what files of secrets say (passed as init values)."""
        if isinstance(env_settings, EnvSettingsSource):
            files = {f"{secret.variable}{SUFFIX}".lower() for secret in secrets_of(cls, ENV_PREFIX)}
            env_settings.env_vars = {name: text for name, text in env_settings.env_vars.items() if name not in files}
        return env_settings, init_settings
