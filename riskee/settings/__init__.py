"""All settings of every process: one frozen tree, read from `RISKEE_*` with `__` between levels.

Order: environment, then `$RISKEE_HOME/run/endpoints.json` (written by the embedded stack), then the defaults
below. A variable that no setting has is an error: a typo must not silently mean the default.
"""

from riskee.settings.access import AuditSettings, GuardSettings, JwtSettings, LimitSettings, TlsSettings
from riskee.settings.backup import BackupSettings
from riskee.settings.loading import ENDPOINTS_FILE, TEST_PREFIX, load_settings
from riskee.settings.retrieval import RetrievalSettings
from riskee.settings.section import Section
from riskee.settings.sections import (
    ApiSettings,
    ConsumerSettings,
    DagsterSettings,
    DatabaseSettings,
    EmbeddingSettings,
    ExplanationSettings,
    InitiativeSettings,
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
    AlpacaStreamSettings,
    DataSettings,
    FeedSettings,
    ReplaySettings,
    VendorSettings,
    YahooSettings,
)
from riskee.settings.streaming import StreamSettings
from riskee.settings.tracing import TracingSettings
from riskee.settings.tree import ENV_PREFIX, Settings

__all__ = [
    "ENDPOINTS_FILE",
    "ENV_PREFIX",
    "TEST_PREFIX",
    "AlpacaSettings",
    "AlpacaStreamSettings",
    "ApiSettings",
    "AuditSettings",
    "BackupSettings",
    "ConsumerSettings",
    "DagsterSettings",
    "DataSettings",
    "DatabaseSettings",
    "EmbeddingSettings",
    "ExplanationSettings",
    "FeedSettings",
    "GuardSettings",
    "InitiativeSettings",
    "JwtSettings",
    "LimitSettings",
    "LlmSettings",
    "MetricsSettings",
    "ModelSettings",
    "NatsSettings",
    "PredictSettings",
    "RedisSettings",
    "ReplaySettings",
    "RetrainingSettings",
    "RetrievalSettings",
    "Section",
    "Settings",
    "StreamSettings",
    "TlsSettings",
    "TracingSettings",
    "VectorSettings",
    "VendorSettings",
    "YahooSettings",
    "load_settings",
]
