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
    "text": "The normal model expects more.\n\nAAPL gained [A].",
    "drivers": [
        {"name": "the wider market", "feature": "beta_60d", "value": 1.1, "contribution": 0.0008,
         "label": "sensitivity to the market", "unit": "ratio", "shown": "1.10 times the market's move"},
        {"name": "volatility", "feature": "volatility_5d", "value": 0.02, "contribution": -0.0004,
         "label": "volatility over a week", "unit": "log return", "shown": ""},
    ],
    "sources": [
        {"title": "AAPL gained [big]", "source": "made", "published_at": "2012-09-01T20:00:00Z",
         "collection": "market_news", "url": "/v1/documents/0c5f4a3e-6f0e-5f3a-9b0e-2f4d1c7e8a90"}
    ],
    "generator": "model", "verified": True, "llm": "tiny", "seconds": 7.25, "tokens_in": 412, "tokens_out": 57,
    "dropped": {"number": 1, "direction": 2}, "prompt_version": "2.0.0+0a1b2c3d",
}  # fmt: skip
