"""Every Redis key, declared once: the owner's table. All are hashes unless said otherwise.

A hash keeps the whole message as JSON under `body`, and beside it the few fields that a person looks for.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

BODY = "body"


@dataclass(frozen=True)
class Key:
    """A family of keys with one time to live."""

    pattern: str
    ttl: timedelta
    purpose: str

    @property
    def seconds(self) -> int:
        return int(self.ttl.total_seconds())

    def of(self, **parts: str | date | datetime) -> str:
        """The key for these parts, e.g. `PREDICTION.of(ticker="AAPL")`."""
        return self.pattern.format(
            **{name: part if isinstance(part, str) else part.isoformat() for name, part in parts.items()}
        )


QUOTE = Key("quote:{ticker}", timedelta(minutes=5), "latest quote")
PREDICTION = Key("pred:{ticker}", timedelta(minutes=5), "latest prediction")
FEATURES = Key("features:{ticker}", timedelta(minutes=1), "features of the latest prediction")
EARNINGS_ANALYSIS = Key("earnings_analysis:{ticker}:{date}", timedelta(hours=24), "what is known of a report")
EXPLANATION = Key("explanation:{ticker}:{ts}", timedelta(minutes=10), "explanation of the prediction made at ts")
ACTIVE_MODEL = Key("model:{type}:active", timedelta(hours=1), "the champion of a model type")
CACHE_STATS = Key("stats:cache:{name}", timedelta(hours=24), "hits and misses of a cache (string)")
RATE = Key("rate:{kind}:{who}", timedelta(minutes=1), "when all that was asked for is made up for, in us (string)")
JOB = Key("job:{job_id}", timedelta(hours=1), "fresh predictions on request: what was asked, and the results")
IDEMPOTENCY = Key("idempotency:{caller}:{name}", timedelta(hours=1), "the answer to a POST with an Idempotency-Key")

KEYS = (
    QUOTE,
    PREDICTION,
    FEATURES,
    EARNINGS_ANALYSIS,
    EXPLANATION,
    ACTIVE_MODEL,
    CACHE_STATS,
    RATE,
    JOB,
    IDEMPOTENCY,
)
