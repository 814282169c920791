"""A stored model is read back exactly, or not at all."""

import hashlib
from collections.abc import Callable

import msgspec
import pytest

from riskee.errors import PoisonError
from riskee.model.artifact import ModelArtifact
from tests.unit.model.small import small_artifact


def test_what_is_read_is_what_was_written() -> None:
    artifact = small_artifact()
    again = ModelArtifact.from_bytes(artifact.to_bytes(), artifact.sha256)
    assert again == artifact
    assert again.version == artifact.version == f"normal-20121109-{artifact.sha256[:8]}"


def test_the_same_training_gives_the_same_bytes() -> None:
    assert small_artifact().to_bytes() == small_artifact().to_bytes()


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-40], lambda data: data.replace(b"0.4", b"0.5"), lambda data: b""]
)
def test_a_damaged_artifact_is_refused(damage: Callable[[bytes], bytes]) -> None:
    artifact = small_artifact()
    with pytest.raises(PoisonError, match="digest"):
        ModelArtifact.from_bytes(damage(artifact.to_bytes()), artifact.sha256)


@pytest.mark.parametrize(
    "content",
    [b"not json", b"{}", msgspec.json.encode({"format": 1, "surprise": 2})],
    ids=["not json", "empty", "unknown fields"],
)
def test_an_unreadable_artifact_is_refused_even_with_its_own_digest(content: bytes) -> None:
    with pytest.raises(PoisonError, match="cannot be read"):
        ModelArtifact.from_bytes(content, hashlib.sha256(content).hexdigest())


def test_another_format_is_refused() -> None:
    newer = msgspec.structs.replace(small_artifact(), format=2)
    with pytest.raises(PoisonError, match="format 2"):
        ModelArtifact.from_bytes(newer.to_bytes(), newer.sha256)
