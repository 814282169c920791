"""The branch of the tree of settings for finding the documents of an explanation."""

from pydantic import Field

from riskee.settings.section import Section


class RetrievalSettings(Section):
    """How documents are ranked: the four weights are relative to each other."""

    candidates: int = Field(48, ge=1, le=200, description="documents searched for in each collection")
    similarity: float = Field(0.5, ge=0, description="weight of the similarity to the facts")
    recency: float = Field(0.35, ge=0, description="weight of how lately a document became known")
    ticker: float = Field(0.15, ge=0, description="weight of a document on the ticker itself, not on the whole market")
    substance: float = Field(
        0.5, ge=0, description="weight of how many sentences say with a number which way something went"
    )
    similarity_span: float = Field(
        0.3, gt=0, description="cosine below the best of its collection at which a document counts as unlike"
    )
    half_life_days: float = Field(60.0, gt=0, description="age at which a document's recency is halved")
    diversity: float = Field(
        0.3, ge=0, le=1, description="how much what a chosen document says already counts against the next"
    )
    near_duplicate: float = Field(
        0.8, gt=0, le=1, description="share of common words from which two documents are taken for one"
    )
    timeout_seconds: float = Field(2.0, gt=0, description="longest search; what has not been found by then is left out")
