"""Data that the product needs and does not ship: fetched once, pinned by SHA-256, kept under `$RISKEE_HOME/blobs`."""

from riskee.blobs.manifest import MANIFEST, Blob, Part
from riskee.blobs.store import Blobs, Progress
from riskee.blobs.weights import install_weights

__all__ = ["MANIFEST", "Blob", "Blobs", "Part", "Progress", "install_weights"]
