"""What became of earlier predictions, for explanations: read from the marts of the track record."""

from dataclasses import dataclass

from sqlalchemy import Engine

from riskee.messaging.explanations import Record
from riskee.messaging.messages import Prediction
from riskee.model.live_record import standing_before
from riskee.storage.database import database_errors
from serving.consumers.lookups import Lookups


@dataclass(frozen=True)
class Records:
    """The record of a ticker by a model."""

    engine: Engine
    lookups: Lookups

    async def of(self, prediction: Prediction) -> Record | None:
        """Of this ticker's predictions by the model of this one, as it was known when its session began; None where
        none was scored by then.

        Raises RetryableError where the database is away, or the mart was not made yet.
        """
        return await self.lookups.of(self._read, prediction)

    def _read(self, prediction: Prediction) -> Record | None:
        wanted = (prediction.ticker, prediction.model_version, prediction.session_date)
        with database_errors(), self.engine.connect() as connection:
            standing = standing_before(connection, *wanted)
        if standing is None:
            return None
        return Record(**{name: getattr(standing, name) for name in Record.__struct_fields__})
