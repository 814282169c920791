"""What the API answers, for tests of the commands that show it."""

from typing import Any

PREDICTION: dict[str, Any] = {
    "ticker": "AAPL", "feed": "replay/1", "data_time": "2012-10-08T20:00:00Z", "price": 638.17,
    "predicted_price": 638.79, "expected_return": 0.00097, "p_up": 0.517,
    "interval": {"p10": 627.09, "p50": 638.8, "p90": 651.12}, "flags": ["replay", "provisional_bar"],
    "model_type": "normal", "model_version": "normal-20120905-9de48aab", "as_of": "2026-11-22T09:49:45Z",
    "status": "ok", "status_since": None, "session": "open", "prediction_time": "2026-11-22T09:49:45.5Z",
}  # fmt: skip
EXPLANATION: dict[str, Any] = {
    "text": "The normal model expects more. AAPL gained [A].",
    "drivers": [
        {"name": "the wider market", "feature": "beta_60d", "value": 1.1, "contribution": 0.0008},
        {"name": "volatility", "feature": "volatility_5d", "value": 0.02, "contribution": -0.0004},
    ],
    "sources": [
        {"title": "AAPL gained [big]", "source": "made", "published_at": "2012-09-01T20:00:00Z",
         "collection": "market_news"}
    ],
    "generator": "model", "verified": True, "llm": "tiny", "seconds": 7.25,
}  # fmt: skip
