"""What the assets work with: the settings and the adapters of one run, each made on first use."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING

import dagster as dg

from riskee.clock import Clock, SystemClock
from riskee.settings import Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from riskee.blobs import Blobs
    from riskee.embedding import Embedder
    from riskee.storage.vectors import Vectors


class Platform:
    """The composition root of a run."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self._opened = ExitStack()

    def close(self) -> None:
        """Close what was opened."""
        self._opened.close()

    @cached_property
    def engine(self) -> "Engine":
        """The database."""
        from riskee.storage.database import make_engine

        engine = make_engine(self.settings.database.url, self.settings.database.pool_size)
        self._opened.callback(engine.dispose)
        return engine

    @cached_property
    def vectors(self) -> "Vectors":
        """The vector database."""
        from riskee.storage.vectors import Vectors

        vectors = Vectors(self.settings.vectors)
        self._opened.callback(vectors.close)
        return vectors

    @cached_property
    def embedder(self) -> "Embedder":
        """The embedding model."""
        from riskee.embedding import make_embedder

        return make_embedder(self.settings.embedding, self.settings.home)

    @cached_property
    def blobs(self) -> "Blobs":
        """The bundled data."""
        from riskee.blobs import Blobs

        return Blobs(self.settings.home)


# How an asset asks for it: a parameter `riskee: RiskeeParam`.
RiskeeParam = dg.ResourceParam[Platform]


@dg.resource(description="Settings, database, vectors, embedding model and bundled data, as `riskee` makes them.")
def platform(_context: dg.InitResourceContext) -> Iterator[Platform]:
    """One platform a run, closed when it ends."""
    made = Platform(load_settings())
    try:
        yield made
    finally:
        made.close()
