"""From a prediction and its drivers to the message that explains it."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec

from riskee.clock import Clock
from riskee.documents.document import COLLECTIONS
from riskee.errors import RiskeeError
from riskee.explanation import composition, prompt
from riskee.explanation.facts import Facts
from riskee.explanation.gate import Turn
from riskee.explanation.progress import Progress
from riskee.explanation.retrieval import Found, Retrieval
from riskee.explanation.writer import Writer
from riskee.ids import explanation_id
from riskee.logs import get_logger
from riskee.messaging.explanations import Driver, Explanation, Occasion, Record
from riskee.messaging.messages import Prediction

_log = get_logger(__name__)


@dataclass(frozen=True)
class Explainer:
    """Explains one prediction at a time or several side by side; keeps no state of its own."""

    retrieval: Retrieval
    record_of: Callable[[Prediction], Awaitable[Record | None]]
    writer: Writer
    clock: Clock
    monotonic: Callable[[], float]

    async def facts(self, prediction: Prediction, drivers: Sequence[Driver], progress: Progress) -> Facts:
        """All that may be said of a prediction. What cannot be found out is left out."""
        await progress.at("documents")
        found, (read, record) = await asyncio.gather(self._found(prediction, drivers), self._record(prediction))
        return Facts(prediction, tuple(drivers), found.documents, record, found.unsearched, read)

    async def explain(
        self, facts: Facts, occasion: Occasion, seconds: float, turn: Turn, progress: Progress
    ) -> Explanation:
        """The explanation, within about `seconds`: by the language model if it manages, else by the template."""
        began = self.monotonic()
        writing = await self.writer.write(facts, seconds, turn, progress)
        await progress.at("checking")
        draft = writing.draft(facts)
        composed = composition.from_draft(facts, draft) if draft else composition.from_template(facts)
        if draft and not composition.holds_only_facts(composed, facts):
            _log.warning("the text as a whole does not hold, the template speaks alone", ticker=facts.prediction.ticker)
            draft, composed = None, composition.from_template(facts)
            writing.trouble = None
        llm = self.writer.llm.model if draft else ""  # no language model had a part in the template
        prediction, digest = facts.prediction, facts_digest(facts)
        return Explanation(
            explanation_id=explanation_id(prediction.prediction_id, digest, prompt.VERSION, llm),
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
            occasion=occasion,
            facts_sha256=digest,
            record=facts.record,
            dropped=dict(writing.dropped),
            tokens_in=writing.tokens_in,
            tokens_out=writing.tokens_out,
            fallback=None if draft else writing.fallback,
        )

    async def _found(self, prediction: Prediction, drivers: Sequence[Driver]) -> Found:
        try:
            return await self.retrieval.found(prediction, drivers)
        except RiskeeError as error:
            _log.warning("no documents could be searched", cause=str(error))
            return Found((), COLLECTIONS)

    async def _record(self, prediction: Prediction) -> tuple[bool, Record | None]:
        try:
            return True, await self.record_of(prediction)
        except RiskeeError as error:
            _log.warning("no track record could be read", cause=str(error))
            return False, None


def facts_digest(facts: Facts) -> str:
    """Stands for all that an explanation may claim: the template's text has every number as it is shown, and a
    document counts by its words. Numbers that differ by less than can be read are the same facts."""
    documents = [(each.document_id, each.title, each.snippet) for each in facts.documents]
    said = (facts.prediction.prediction_id, composition.from_template(facts).text, documents)
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()
