"""`riskee.storage.vectors`: what Qdrant is told when a collection is made."""

from typing import Any

import pytest
from qdrant_client import QdrantClient

from riskee.settings import VectorSettings
from riskee.storage.vectors import Vectors


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (VectorSettings(), {"shard_number": None, "replication_factor": 1}),
        (VectorSettings(shards=3, replicas=2), {"shard_number": 3, "replication_factor": 2}),
    ],
    ids=["alone", "cluster"],
)
def test_a_collection_is_divided_and_kept_as_the_settings_say(
    settings: VectorSettings, told: dict[str, int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[dict[str, Any]] = []

    def create(_self: QdrantClient, _collection: str, **given: Any) -> bool:
        made.append(given)
        return True

    monkeypatch.setattr(QdrantClient, "collection_exists", lambda *_: False)
    monkeypatch.setattr(QdrantClient, "create_collection", create)
    monkeypatch.setattr(QdrantClient, "create_payload_index", lambda *_: None)
    vectors = Vectors(settings)
    vectors.ensure_collections(8, ["market_news", "earnings_calls"])
    vectors.close()
    assert [{key: one[key] for key in told} for one in made] == [told, told]
