"""What becomes of a language model's words: explanations of made-up predictions with documents from real texts."""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from riskee.breaker import Breaker
from riskee.clock import Clock
from riskee.errors import FatalError, RiskeeError
from riskee.explanation.explainer import Explainer
from riskee.explanation.facts import Facts
from riskee.explanation.gate import Gate, Turn
from riskee.explanation.progress import Progress
from riskee.explanation.quality.questions import TEXTS, Question
from riskee.explanation.quality.relevance import Ground
from riskee.explanation.retrieval import Retrieval
from riskee.explanation.writer import LanguageModel, Writer, load
from riskee.messaging.explanations import ExplainProgress, Explanation
from riskee.settings import ExplanationSettings

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Written:
    """The explanations that one language model was asked for on one kind of texts."""

    model: str
    texts: str
    explanations: tuple[Explanation, ...]
    # Sentences that held, in all of them.
    kept: int

    @property
    def dropped(self) -> Counter[str]:
        """Refused sentences by reason."""
        found: Counter[str] = Counter()
        for explanation in self.explanations:
            found.update(explanation.dropped)
        return found


async def written_by(
    llm: LanguageModel,
    ground: Ground,
    questions: Sequence[Question],
    settings: ExplanationSettings,
    clock: Clock,
    tell: Tell,
) -> Written:
    """Ask for an explanation of each question of one collection, one after the other.

    Raises FatalError where the model does not answer before and after: what the template says in its place would be
    taken for measured.
    """
    await require_answer(llm)
    retrieval = Retrieval(ground.embedder, ground.shelf, settings.documents, settings.retrieval)
    writer = Writer(llm, ground.embedder, Breaker(time.monotonic), Gate(1, 0), time.monotonic)
    explainer = Explainer(retrieval, _no_record, writer, clock, time.monotonic)
    texts = TEXTS[questions[0].collection]
    found: list[Explanation] = []
    kept = 0
    for number, question in enumerate(questions, start=1):
        heard = _Heard()
        progress = Progress(question.prediction.prediction_id, question.prediction.ticker, heard, time.monotonic)
        facts: Facts = await explainer.facts(question.prediction, question.drivers, progress)
        turn = Turn(urgent=True)
        found.append(await explainer.explain(facts, "request", settings.answer_within_seconds, turn, progress))
        kept += len(heard.sentences)
        done = f"{number} of {len(questions)} on {texts}"
        tell(f"{llm.model}: {done}, {found[-1].generator}, {found[-1].seconds:.1f} s")
    await require_answer(llm)
    return Written(llm.model, texts, tuple(found), kept)


async def require_answer(llm: LanguageModel) -> None:
    """Have the model loaded. Raises FatalError where it does not answer."""
    try:
        await load(llm)
    except (RiskeeError, TimeoutError) as error:
        why = error.cause if isinstance(error, RiskeeError) else "it does not answer in time"
        raise FatalError(
            f"nothing can be measured of {llm.model}: {why}",
            "start its server (`riskee up`, or an Ollama of your own named by RISKEE_LLM__URL) and see that it has the "
            "model; `--count 0` measures the search alone",
        ) from error


def drawn(questions: Sequence[Question], count: int, seed: int) -> list[Question]:
    """At most `count` of the questions."""
    draw = random.Random(seed)  # noqa: S311 (a sample, no secret)
    return draw.sample(questions, min(count, len(questions)))


class _Heard:
    """Keeps the sentences that hold, as they are told."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    async def __call__(self, progress: ExplainProgress) -> None:
        if progress.sentence:
            self.sentences.append(progress.sentence)


async def _no_record(_prediction: object) -> None:
    return None


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values are."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
