"""From a prediction and its drivers to the message that explains it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from riskee.clock import Clock
from riskee.errors import RiskeeError
from riskee.explanation import composition, prompt
from riskee.explanation.facts import Facts
from riskee.explanation.retrieval import Retrieval
from riskee.explanation.writer import Writer
from riskee.ids import explanation_id
from riskee.logs import get_logger
from riskee.messaging.explanations import Driver, Explanation, SourceDocument
from riskee.messaging.messages import Prediction

_log = get_logger(__name__)


@dataclass(frozen=True)
class Explainer:
    """Explains one prediction at a time or several side by side; keeps no state of its own."""

    retrieval: Retrieval
    writer: Writer
    clock: Clock
    monotonic: Callable[[], float]

    async def explain(self, prediction: Prediction, drivers: Sequence[Driver], seconds: float) -> Explanation:
        """The explanation, within about `seconds`: by the language model if it manages, else by the template."""
        began = self.monotonic()
        facts = Facts(prediction, tuple(drivers), await self._documents(prediction, drivers))
        draft = await self.writer.write(facts, seconds - (self.monotonic() - began))
        composed = composition.from_draft(facts, draft) if draft else composition.from_template(facts)
        llm = self.writer.llm.model if draft else ""  # no language model had a part in the template
        return Explanation(
            explanation_id=explanation_id(prediction.prediction_id, prompt.VERSION, llm),
            prediction_id=prediction.prediction_id,
            ticker=prediction.ticker,
            data_time=prediction.data_time,
            created_at=self.clock.now(),
            text=composed.text,
            drivers=facts.drivers,
            sources=composed.sources,
            generator="model" if draft else "template",
            verified=composition.holds_only_facts(composed, facts),
            llm=llm,
            prompt_version=prompt.VERSION,
            seconds=self.monotonic() - began,
        )

    async def _documents(self, prediction: Prediction, drivers: Sequence[Driver]) -> tuple[SourceDocument, ...]:
        try:
            return await self.retrieval.documents_for(prediction, drivers)
        except RiskeeError as error:
            _log.warning("no documents could be searched", cause=str(error))
            return ()
