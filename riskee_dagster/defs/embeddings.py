"""The vectors of the documents: one asset for each of the five collections."""

import dagster as dg

from riskee.documents.document import COLLECTIONS, Collection
from riskee_dagster.declare import table_asset
from riskee_dagster.defs.documents import document_key
from riskee_dagster.resources import RiskeeParam

GROUP = "embeddings"
CODE = ("riskee.documents.document", "riskee.documents.indexing", "riskee.storage.vectors")


def _asset(collection: Collection) -> dg.AssetsDefinition:
    @table_asset(
        dg.AssetKey(["embeddings", collection]),
        group=GROUP,
        kinds={"onnx", "qdrant"},
        code=CODE,
        deps=[document_key(collection)],
        description=f"The vectors of `{collection}` in Qdrant. Only what is new or changed is embedded.",
    )
    def embeddings(context: dg.AssetExecutionContext, riskee: RiskeeParam) -> dg.MaterializeResult[None]:
        from riskee.documents.indexing import Index, IndexCounts

        def progress(counts: IndexCounts) -> None:
            context.log.info("%s: %d embedded, %d as they were", collection, counts.embedded, counts.unchanged)

        counts = Index(riskee.engine, riskee.embedder, riskee.vectors).update(collection, progress)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": riskee.vectors.count(collection),
                "embedded": counts.embedded,
                "unchanged": counts.unchanged,
                "removed": counts.removed,
                "model": riskee.embedder.name,
                "dimensions": riskee.embedder.dimensions,
            }
        )

    return embeddings


ASSETS = [_asset(collection) for collection in COLLECTIONS]
