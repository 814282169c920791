"""What the assets work with: the settings and the adapters of one run, each made on first use."""

from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import PrivateAttr

from riskee.clock import Clock, SystemClock
from riskee.settings import Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from riskee.blobs import Blobs
    from riskee.embedding import Embedder
    from riskee.storage.vectors import Vectors


class RiskeeResource(dg.ConfigurableResource[None]):
    """The composition root of a run. Closes what it opened when the run ends."""

    _opened: ExitStack = PrivateAttr(default_factory=ExitStack)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - Dagster's signature
        self._opened.close()

    @cached_property
    def settings(self) -> Settings:
        """The settings of this process."""
        return load_settings()

    @property
    def clock(self) -> Clock:
        """The machine's clock."""
        return SystemClock()

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
