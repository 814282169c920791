"""Request bodies of Ollama's API and how they read in llama.cpp's terms. A field not listed here is refused."""

import re
from typing import Any, Literal, TypeVar

import msgspec

from infra.embedded.ollama_front.refusal import ApiError

DEFAULT_KEEP_ALIVE_SECONDS = 300.0
DEFAULT_CONTEXT_TOKENS = 4096
BodyT = TypeVar("BodyT")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"-?(?:\d+(?:\.\d+)?(?:ms|s|m|h))+")


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all bodies."""


class Options(Body, frozen=True):
    """Options of one generation; names and meanings are Ollama's, `num_ctx` in tokens."""

    num_predict: int | None = None
    temperature: float | None = None
    seed: int | None = None
    stop: list[str] | str | None = None
    num_ctx: int | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repeat_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


class Message(Body, frozen=True):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str = ""


Format = Literal["", "json"] | dict[str, Any] | None
KeepAlive = float | str | None


class Chat(Body, frozen=True):
    """`POST /api/chat`."""

    model: str
    messages: list[Message] = []
    stream: bool | None = None
    format: Format = None
    options: Options = Options()
    keep_alive: KeepAlive = None
    think: Literal[False] | None = None
    tools: list[Any] | None = None

    def turns(self) -> list[Message]:
        """The conversation; empty to load or unload the model only."""
        return self.messages


class Generate(Body, frozen=True):
    """`POST /api/generate`; the prompt goes through the model's chat template, as in Ollama."""

    model: str
    prompt: str = ""
    system: str = ""
    stream: bool | None = None
    format: Format = None
    options: Options = Options()
    keep_alive: KeepAlive = None
    think: Literal[False] | None = None
    raw: Literal[False] | None = None

    def turns(self) -> list[Message]:
        """The conversation that the prompt stands for; empty to load or unload the model only."""
        if not self.prompt:
            return []
        system = [Message("system", self.system)] if self.system else []
        return [*system, Message("user", self.prompt)]


class Show(Body, frozen=True):
    """`POST /api/show`."""

    model: str
    verbose: bool | None = None


def decode(body: bytes, kind: type[BodyT]) -> BodyT:
    """The body as `kind`. Raises ApiError (400) naming what is wrong or not supported."""
    try:
        decoded = msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ApiError(400, f"not understood by the embedded LLM server: {error}") from error
    if isinstance(decoded, Chat) and decoded.tools:
        raise ApiError(400, "the embedded LLM server does not support tools")
    return decoded


def completion_request(body: Chat | Generate) -> dict[str, Any]:
    """The request in the form of llama.cpp's chat completions, streamed, with usage at its end."""
    options = body.options
    unlimited = options.num_predict is None or options.num_predict < 0
    wanted = {
        "messages": [{"role": turn.role, "content": turn.content} for turn in body.turns()],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": None if unlimited else options.num_predict,
        "temperature": options.temperature,
        "seed": options.seed,
        "stop": [options.stop] if isinstance(options.stop, str) else options.stop,
        "top_k": options.top_k,
        "top_p": options.top_p,
        "min_p": options.min_p,
        "repeat_penalty": options.repeat_penalty,
        "presence_penalty": options.presence_penalty,
        "frequency_penalty": options.frequency_penalty,
        "response_format": _response_format(body.format),
    }
    return {name: value for name, value in wanted.items() if value is not None}


def context_tokens(options: Options) -> int:
    """How many tokens prompt and answer may have together. Raises ApiError (400) for a size that makes no sense."""
    if options.num_ctx is None:
        return DEFAULT_CONTEXT_TOKENS
    if not 16 <= options.num_ctx <= 1 << 20:
        raise ApiError(400, f"num_ctx {options.num_ctx} is not between 16 and {1 << 20}")
    return options.num_ctx


def keep_alive_seconds(raw: KeepAlive) -> float:
    """Seconds the model stays in memory after an answer: infinite when negative. Raises ApiError (400)."""
    if raw is None:
        return DEFAULT_KEEP_ALIVE_SECONDS
    if isinstance(raw, str):
        if not _DURATION.fullmatch(raw):
            raise ApiError(400, f"keep_alive {raw!r} is not a duration such as '5m' or '1h30m'")
        parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", raw)
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
        raw = -seconds if raw.startswith("-") else seconds
    return float("inf") if raw < 0 else raw


def _response_format(wanted: Format) -> dict[str, Any] | None:
    if not wanted:
        return None
    if wanted == "json":
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": wanted}}
