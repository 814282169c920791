"""The vector front's search against the truth, on clustered vectors as embeddings of similar sentences are."""

from pathlib import Path

import numpy as np
import qdrant_edge as edge

from infra.embedded.qdrant_front.collection import OPTIMISE_AFTER_POINTS, Collection, engine_config
from infra.embedded.qdrant_front.requests import Point, Query, Upsert, VectorParams

COUNT, SIZE, CLUSTERS, NEAREST = 12_000, 384, 60, 8
assert COUNT > OPTIMISE_AFTER_POINTS


def test_the_nearest_are_found_exactly_among_similar_vectors(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(CLUSTERS, SIZE))
    made = centres[rng.integers(0, CLUSTERS, COUNT + 20)] + 0.15 * rng.normal(size=(COUNT + 20, SIZE))
    made = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
    stored, asked = made[:COUNT], made[COUNT:]
    params = VectorParams(size=SIZE, distance="Cosine")
    (tmp_path / "shard").mkdir()
    edge.EdgeShard.create(str(tmp_path / "shard"), engine_config(params)).close()
    collection = Collection(tmp_path, params)
    for first in range(0, COUNT, 1000):
        rows = stored[first : first + 1000].tolist()
        collection.upsert(Upsert(points=[Point(first + at, row) for at, row in enumerate(rows)]))
    collection.tidy()
    found = [collection.query(Query(query=query, limit=NEAREST))["points"] for query in asked.tolist()]
    collection.close()
    # By score: of two that differ in the last place only, either may come first.
    scores = [[one["score"] for one in points] for points in found]
    np.testing.assert_allclose(scores, -np.sort(-(asked @ stored.T), axis=1)[:, :NEAREST], atol=1e-6)
