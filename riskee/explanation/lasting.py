"""How long an explanation stands for its facts."""

from datetime import datetime, timedelta

from riskee.messaging.explanations import Explanation

# The template's text stands in for the language model's: not for long, the model may be back.
TEMPLATE_LASTS = timedelta(minutes=1)


def lasts(found: Explanation, prompt_version: str, llm: str, now: datetime) -> bool:
    """Whether it may be used again: of the same prompt, and of the same model or a template's of the last minute."""
    if found.prompt_version != prompt_version:
        return False
    return found.llm == llm if found.generator == "model" else now - found.created_at < TEMPLATE_LASTS
