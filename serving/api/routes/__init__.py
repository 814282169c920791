"""The routes, a module for each noun. Those of `VERSIONED` live under `/v1`, those of `PLAIN` at the root, and those of
`FIRST` where they say: they are served without FastAPI."""

from serving.api import events, stream
from serving.api.routes import (
    documents,
    explanations,
    features,
    health,
    history,
    jobs,
    models,
    predictions,
    statuses,
    tickers,
    track_record,
)

FIRST = (predictions.latest,)
VERSIONED = (
    predictions.router,
    history.router,
    jobs.router,
    explanations.router,
    documents.router,
    features.router,
    models.router,
    track_record.router,
    tickers.router,
    statuses.router,
    stream.router,
    events.router,
)
PLAIN = (health.router,)
