"""The labels by hand: what a reader said of the documents that were found for some of the questions."""

import uuid
from datetime import datetime
from importlib.resources import files

import msgspec

from riskee.documents.document import Collection


class Judged(msgspec.Struct, frozen=True):
    """The documents judged for a company at a moment. Telling is a passage of a call that states what the results
    were, and a post that states what happened to the company, its business or its share."""

    collection: Collection
    ticker: str
    at: datetime
    telling: tuple[uuid.UUID, ...]
    others: tuple[uuid.UUID, ...]

    @property
    def documents(self) -> frozenset[uuid.UUID]:
        return frozenset((*self.telling, *self.others))


def read_judgements() -> list[Judged]:
    """All of them."""
    labels = files("riskee.explanation.quality").joinpath("judgements.json").read_bytes()
    return msgspec.json.decode(labels, type=list[Judged])
