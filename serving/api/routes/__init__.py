"""The routes, a module for each noun. Those of `VERSIONED` live under `/v1`, those of `PLAIN` at the root."""

from serving.api import stream
from serving.api.routes import explanations, health, predictions, statuses, tickers

VERSIONED = (predictions.router, explanations.router, tickers.router, statuses.router, stream.router)
PLAIN = (health.router,)
