"""The model that predicts, as metrics: which, how old, how long it may serve, what it looks at."""

from datetime import UTC, date, datetime, time

from riskee.model.predictor import Predictor
from riskee.telemetry import MODEL_GAIN, MODEL_INFO, MODEL_TRAINED_THROUGH, MODEL_VALID_UNTIL


def show(predictor: Predictor) -> None:
    """Set the gauges of its type; those of the model that it takes over from go."""
    artifact = predictor.artifact
    kind = artifact.model_type
    for metric in (MODEL_INFO, MODEL_GAIN):
        metric.remove_by_labels({"model_type": kind})
    MODEL_INFO.labels(kind, artifact.version).set(1)
    MODEL_TRAINED_THROUGH.labels(kind).set(_midnight(artifact.trained_through))
    MODEL_VALID_UNTIL.labels(kind).set(_midnight(artifact.valid_until))
    for feature, share in predictor.gains().items():
        MODEL_GAIN.labels(kind, feature).set(share)


def _midnight(day: date) -> float:
    return datetime.combine(day, time(), UTC).timestamp()
