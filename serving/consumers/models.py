"""The champions that a process predicts with: loaded at its start, and changed while it works."""

import asyncio
from contextlib import suppress

from nats.aio.msg import Msg

from riskee.errors import PoisonError
from riskee.logs import get_logger
from riskee.messaging.messages import MODEL_TYPES, ModelType
from riskee.messaging.subjects import MODEL_PROMOTED
from riskee.model.predictor import Predictor
from serving.consumers.knowledge import Knowledge
from serving.consumers.model_metrics import show
from serving.consumers.publishing import Publisher
from serving.consumers.service import Service
from serving.patience import StoppedError

# A promotion is announced; looking as well costs little and survives a lost announcement.
_CHECK_SECONDS = 15.0

_log = get_logger(__name__)


class Models:
    """The loaded champions by type, shared by all who predict in a process.

    A wave is predicted without a pause, so that one model makes all of its predictions whenever another is loaded.
    """

    def __init__(self, service: Service, knowledge: Knowledge, publisher: Publisher) -> None:
        self._service = service
        self._knowledge = knowledge
        self._publisher = publisher
        self._loading = asyncio.Lock()
        self._promoted = asyncio.Event()
        self.predictors: dict[ModelType, Predictor] = {}

    async def load(self) -> None:
        """Come to the registry's champions. One that cannot be loaded leaves the last one serving.

        Raises RetryableError where the database is away.
        """
        async with self._loading:
            for model_type in MODEL_TYPES:
                try:
                    trouble = await self._load(model_type)
                except PoisonError as error:
                    trouble = str(error)
                if trouble:
                    self._service.health.down(f"model-{model_type}", trouble)
                else:
                    self._service.health.up(f"model-{model_type}")
            await self._publisher.show_models(self.predictors.values())

    async def _load(self, model_type: ModelType) -> str:
        """Load the champion if it is another than the one that serves. Answers the trouble, if any."""
        artifact = await asyncio.to_thread(self._knowledge.champion, model_type)
        current = self.predictors.get(model_type)
        if artifact is None:
            return "" if current else "no champion yet: train a model"
        if current is None or current.version != artifact.version:
            predictor = await asyncio.to_thread(Predictor, artifact, self._service.settings.model.threads)
            self.predictors[model_type] = predictor
            show(predictor)
            _log.info("model loaded", model_type=model_type, version=predictor.version)
        return ""

    async def watch(self) -> None:
        """Look for new champions until cancelled: when a promotion is announced, and now and then.

        Every process hears the announcement, which a durable would give to one of them.
        """
        await self._service.bus.listen(MODEL_PROMOTED.name, self._on_promoted)
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._promoted.wait(), _CHECK_SECONDS)
            self._promoted.clear()
            with suppress(StoppedError):
                await self._service.until_done("database", self.load)

    async def _on_promoted(self, _message: Msg) -> None:
        _log.info("a promotion was announced")
        self._promoted.set()
