"""The local language model: Ollama's official client."""

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

    async def answer(self, system: str, prompt: str, schema: dict[str, Any], *, max_tokens: int, seed: int) -> str:
        """The model's answer, as text that should fit the JSON schema.

        Raises RetryableError when the server is down, too slow or failing, FatalError when it lacks the model or
        refuses the request.
        """
        try:
            response = await self._client.chat(
                model=self.model,
                messages=[{"role": "system", "content": system}, {"role": "user", "content": prompt}],
                format=schema,
                options={
                    "num_predict": max_tokens, "num_ctx": _CONTEXT_TOKENS, "temperature": _TEMPERATURE, "seed": seed
                },
                keep_alive=KEEP_ALIVE,
            )  # fmt: skip
        except ollama.ResponseError as error:
            raise self._refusal(error) from error
        except (ConnectionError, httpx.HTTPError) as error:
            reason = str(error) or type(error).__name__
            raise RetryableError(
                f"the language model at {self._settings.url} does not answer: {reason}", "`riskee status`"
            ) from error
        return response.message.content or ""

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
