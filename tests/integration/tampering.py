"""Ways in which a registered model may be spoilt."""

import hashlib

import msgspec
from sqlalchemy import Connection, text

from riskee.model.artifact import ModelArtifact

SPOILT = ("a flipped bit", "a cut end", "another digest", "another feature set in the row", "another artifact")


def spoil(connection: Connection, artifact: ModelArtifact, how: str) -> None:
    """Spoil a registered model, past everything that the product offers."""
    row = {"version": artifact.version}
    changes = {
        "a flipped bit": "artifact = set_bit(artifact, 5000, 1 - get_bit(artifact, 5000))",
        "a cut end": "artifact = substring(artifact FROM 1 FOR length(artifact) - 10)",
        "another digest": "artifact_sha256 = reverse(artifact_sha256)",
        "another feature set in the row": "feature_set = '000000000000'",
        "another artifact": "artifact = :bytes, artifact_sha256 = :sha256",
    }
    if how == "another artifact":
        # Digest and bytes fit each other: only the name does not.
        other = msgspec.structs.replace(artifact, feature_set="000000000000").to_bytes()
        row |= {"bytes": other, "sha256": hashlib.sha256(other).hexdigest()}  # type: ignore[dict-item]
    changed = connection.execute(text(f"UPDATE model_metadata SET {changes[how]} WHERE model_version = :version"), row)
    assert changed.rowcount == 1
