"""What answers look like, for the OpenAPI document."""

from typing import Any

_PREDICTION = {
    "prediction_id": "0c5f4a3e-6f0e-5f3a-9b0e-2f4d1c7e8a90",
    "quote_id": "7d0c2b8a-54a1-5d53-8b1c-0f9a1e6f3b21",
    "ticker": "AAPL",
    "feed": "replay/1",
    "data_time": "2013-01-04T15:45:00Z",
    "prediction_time": "2026-11-22T09:30:00.125Z",
    "as_of": "2026-11-22T09:30:00.131Z",
    "session_date": "2013-01-04",
    "horizon": "1d",
    "model_type": "normal",
    "model_version": "normal-20121109-5f0c2a91",
    "feature_set": "3b1f0c9d2e4a",
    "price": 527.0,
    "expected_return": 0.0012,
    "predicted_price": 527.63,
    "p_up": 0.517,
    "confidence": 0.034,
    "interval": {"p10": 514.2, "p50": 527.4, "p90": 540.9},
    "flags": ["replay", "provisional_bar"],
    "bars_as_of": "2026-11-22T08:00:00Z",
    "market_quote_id": None,
    "status": "ok",
    "status_since": None,
    "session": "open",
}
_PROBLEM = {
    "type": "urn:riskee:problem:unknown_ticker",
    "title": "Unknown ticker",
    "status": 404,
    "detail": "APL is not predicted",
    "next_step": "near it: AAPL; all of them: GET /tickers",
    "instance": "/v1/predict/APL",
    "request_id": "3a48913e4b26-7",
    "near": ["AAPL"],
}
# By the schema's name.
SAMPLES: dict[str, dict[str, Any]] = {
    "PredictionAnswer": _PREDICTION,
    "FailureAnswer": {
        "ticker": "IBM",
        "status": "no_prediction",
        "detail": "IBM has not been predicted yet",
        "next_step": "wait for its next quote",
    },
    "ProblemAnswer": _PROBLEM,
    "TickerAnswer": {"ticker": "AAPL", "name": "Apple Inc.", "is_index": False, "source": "bundled"},
    "Outcome": {"session": "2013-01-07", "realised_return": -0.0059, "hit": False, "inside": True},
    "FeatureAnswer": {
        "value": 0.0123,
        "unit": "log return",
        "label": "the last session's move",
        "definition": "ln(c_t / c_(t-1))",
    },
}
