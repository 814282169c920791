"""The routes, a module for each noun. Those of `VERSIONED` live under `/v1`, those of `PLAIN` at the root, and those of
`FIRST` where they say."""

from serving.api import stream
from serving.api.routes import explanations, health, predictions, statuses, tickers

# Looked at before all others, and part of the application itself.
FIRST = (predictions.latest,)
VERSIONED = (predictions.router, explanations.router, tickers.router, statuses.router, stream.router)
PLAIN = (health.router,)
