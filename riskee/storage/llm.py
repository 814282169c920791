"""The local language model: Ollama's official client."""

import asyncio
from typing import Any

import httpx
import ollama

from riskee.errors import FatalError, RetryableError
from riskee.settings import LlmSettings

# Loading takes seconds, so the model stays in memory between explanations.
KEEP_ALIVE = "30m"
_CONTEXT_TOKENS = 2048
_TEMPERATURE = 0.2


class Llm:
    """One model of one server."""

    def __init__(self, settings: LlmSettings) -> None:
        self._settings = settings
        self._client = ollama.AsyncClient(host=settings.url, timeout=settings.timeout_seconds)

    @property
    def model(self) -> str:
        return self._settings.model

    async def answer(
        self, system: str, prompt: str, schema: dict[str, Any], *, max_tokens: int, seed: int, seconds: float
    ) -> str:
        """The model's answer, as text that should fit the JSON schema; cut off where `seconds` were not enough.

        Raises RetryableError when the server is down, failing or says nothing in time, FatalError when it lacks the
        model or refuses the request.
        """
        pieces: list[str] = []
        try:
            async with asyncio.timeout(seconds):
                await self._stream(pieces, system, prompt, schema, {"num_predict": max_tokens, "seed": seed})
        except TimeoutError as error:
            if not pieces:
                raise RetryableError(f"the language model said nothing in {seconds:.0f} s", "see the load") from error
        except ollama.ResponseError as error:
            raise self._refusal(error) from error
        except (ConnectionError, httpx.HTTPError) as error:
            reason = str(error) or type(error).__name__
            raise RetryableError(
                f"the language model at {self._settings.url} does not answer: {reason}", "`riskee status`"
            ) from error
        return "".join(pieces)

    async def _stream(
        self, pieces: list[str], system: str, prompt: str, schema: dict[str, Any], options: dict[str, int]
    ) -> None:
        """Append the answer to `pieces` as it is written."""
        answer = await self._client.chat(
            model=self.model,
            messages=[{"role": "system", "content": system}, {"role": "user", "content": prompt}],
            format=schema,
            options={"num_ctx": _CONTEXT_TOKENS, "temperature": _TEMPERATURE, **options},
            keep_alive=KEEP_ALIVE,
            stream=True,
        )
        async for part in answer:
            pieces.append(part.message.content or "")  # noqa: PERF401 (what came in time must be kept)

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
