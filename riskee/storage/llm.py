"""The local language model: Ollama's official client."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, NamedTuple, cast

import httpx
import ollama

from riskee.errors import FatalError, PoisonError, RetryableError
from riskee.settings import LlmSettings

# Loading takes seconds, so the model stays in memory between explanations.
KEEP_ALIVE = "30m"
_CONTEXT_TOKENS = 2048
_TEMPERATURE = 0.2


class Piece(NamedTuple):
    """A part of an answer; the last one says how many tokens the whole took: those read, those written."""

    text: str
    tokens_in: int = 0
    tokens_out: int = 0


class Llm:
    """One model of one server."""

    def __init__(self, settings: LlmSettings) -> None:
        self._settings = settings
        self._client = ollama.AsyncClient(host=settings.url, timeout=settings.timeout_seconds)

    @property
    def model(self) -> str:
        return self._settings.model

    async def answer(
        self, system: str, prompt: str, schema: dict[str, Any], *, max_tokens: int, seed: int
    ) -> AsyncGenerator[Piece, None]:
        """The model's answer as it is written, as text that should fit the JSON schema.

        Whoever stops reading closes the generator; then the server stops too. Raises RetryableError when the server is
        down or failing, PoisonError when it does not speak Ollama's protocol, FatalError when it lacks the model or
        refuses the request.
        """
        try:
            async with aclosing(await self._ask(system, prompt, schema, max_tokens, seed)) as answer:
                async for part in answer:
                    yield Piece(part.message.content or "", part.prompt_eval_count or 0, part.eval_count or 0)
        except ollama.ResponseError as error:
            raise self._refusal(error) from error
        except (ConnectionError, httpx.HTTPError) as error:
            reason = str(error) or type(error).__name__
            raise RetryableError(
                f"the language model at {self._settings.url} does not answer: {reason}", "`riskee status`"
            ) from error
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            # What is no JSON or no message of Ollama's, as the client finds it.
            raise PoisonError(
                f"what answers at {self._settings.url} does not speak Ollama's protocol: {str(error)[:200]}",
                "check RISKEE_LLM__URL",
            ) from error

    async def _ask(
        self, system: str, prompt: str, schema: dict[str, Any], max_tokens: int, seed: int
    ) -> AsyncGenerator[ollama.ChatResponse, None]:
        answer: AsyncIterator[ollama.ChatResponse] = await self._client.chat(
            model=self.model,
            messages=[{"role": "system", "content": system}, {"role": "user", "content": prompt}],
            format=schema,
            options={
                "num_ctx": _CONTEXT_TOKENS, "temperature": _TEMPERATURE, "num_predict": max_tokens, "seed": seed,
            },
            keep_alive=KEEP_ALIVE,
            stream=True,
        )  # fmt: skip
        return cast("AsyncGenerator[ollama.ChatResponse, None]", answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]  # the package has no annotation here

    def _refusal(self, error: ollama.ResponseError) -> FatalError | RetryableError:
        if error.status_code == httpx.codes.NOT_FOUND:
            return FatalError(
                f"the language model {self.model} is not there",
                f"`riskee up` fetches it; with an Ollama of your own: `ollama pull {self.model}`",
            )
        if (
            error.status_code in (-1, httpx.codes.TOO_MANY_REQUESTS)
            or error.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
        ):
            return RetryableError(f"the language model failed: {error.error}", "`riskee logs ollama`")
        return FatalError(f"the language model refuses the request: {error.error}", "`riskee logs ollama`")
