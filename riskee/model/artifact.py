"""A trained model as one immutable JSON document: LightGBM's own text format, calibration, interval, provenance."""

import hashlib
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import msgspec

from riskee.errors import PoisonError
from riskee.messaging.messages import ModelType

FORMAT = 1
UNFIT_REMEDY = "bring the former champion back with `riskee models rollback TYPE`, or train: `riskee models retrain`"


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """P(up) = 1 / (1 + exp(-(intercept + slope x score)))."""

    intercept: float
    slope: float


class ResidualQuantiles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Out-of-fold residuals (outcome - score), in units of the scale feature: the interval around a score."""

    p10: float
    p50: float
    p90: float


class ModelArtifact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, dict=True):
    """Everything that a prediction needs. The score is the expected log return divided by `scale_feature`."""

    format: int = FORMAT
    model_type: ModelType
    horizon: str
    feature_set: str
    features: tuple[str, ...]
    scale_feature: str
    booster: str
    calibration: Calibration
    residuals: ResidualQuantiles
    trained_from: date
    trained_through: date
    valid_until: date

    def to_bytes(self) -> bytes:
        """The artifact as it is stored; the same artifact gives the same bytes."""
        return msgspec.json.encode(self)

    @cached_property
    def sha256(self) -> str:
        """Digest of `to_bytes`."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @cached_property
    def version(self) -> str:
        """The model's name, e.g. `normal-20121109-5f0c2a91`: the end of its training window and its digest."""
        return f"{self.model_type}-{self.trained_through:%Y%m%d}-{self.sha256[:8]}"

    def has_expired(self, on: date) -> bool:
        """Whether the model is too old for the day: it serves on `valid_until`, and not after it."""
        return on > self.valid_until

    @classmethod
    def from_bytes(cls, data: bytes, sha256: str) -> "ModelArtifact":
        """Read a stored artifact. Raises PoisonError when it is not the one that `sha256` names, or unreadable."""
        digest = hashlib.sha256(data).hexdigest()
        if digest != sha256:
            raise PoisonError(
                f"model artifact has the digest {digest[:12]}, not {sha256[:12]}",
                f"it was altered or cut off: {UNFIT_REMEDY}",
            )
        try:
            artifact = msgspec.json.decode(data, type=cls)
        except msgspec.MsgspecError as error:
            raise PoisonError(f"model artifact cannot be read: {error}", UNFIT_REMEDY) from error
        if artifact.format != FORMAT:
            raise PoisonError(f"model artifact has format {artifact.format}, this version reads {FORMAT}", UNFIT_REMEDY)
        return artifact


@dataclass(frozen=True)
class Unreadable:
    """A registered model that nobody can predict with any more: it was altered, or is of another format."""

    version: str
    trouble: str


Incumbent = ModelArtifact | Unreadable | None
"""The champion of a model type as a training or a watch meets it; None before the first."""


def report_path(home: Path, version: str) -> Path:
    """Where the report of a model's training is written."""
    return home / "reports" / f"{version}.html"
