"""Ollama's bodies in llama.cpp's terms, the queue in front of the model, the index of models. Nothing is loaded."""

import asyncio
import json
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.embedded.ollama_front import payloads
from infra.embedded.ollama_front.answers import Tally
from infra.embedded.ollama_front.engine import MAX_WAITING, Engine, Job
from infra.embedded.ollama_front.gguf import read_metadata
from infra.embedded.ollama_front.library import Library
from infra.embedded.ollama_front.refusal import ApiError
from riskee.blobs import Blobs, install_weights
from riskee.errors import FatalError

WEIGHTS = Path("weights.gguf")


def chat(**fields: Any) -> payloads.Chat:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    return payloads.decode(json.dumps(body).encode(), payloads.Chat)


def test_only_what_was_asked_for_is_passed_on() -> None:
    assert payloads.completion_request(chat()) == {
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_options_are_renamed() -> None:
    request = payloads.completion_request(chat(options={"num_predict": 9, "stop": "end", "seed": 0, "temperature": 0}))
    assert (request["max_tokens"], request["stop"], request["seed"], request["temperature"]) == (9, ["end"], 0, 0)


def test_a_negative_num_predict_is_unlimited() -> None:
    assert "max_tokens" not in payloads.completion_request(chat(options={"num_predict": -1}))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("", None),
        (None, None),
        ("json", {"type": "json_object"}),
        ({"type": "object"}, {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}),
    ],
)
def test_formats(wanted: Any, expected: Any) -> None:
    assert payloads.completion_request(chat(format=wanted)).get("response_format") == expected


def test_generate_becomes_a_conversation() -> None:
    body = payloads.decode(b'{"model":"m","prompt":"p","system":"s"}', payloads.Generate)
    assert [(turn.role, turn.content) for turn in body.turns()] == [("system", "s"), ("user", "p")]
    assert payloads.decode(b'{"model":"m","system":"s"}', payloads.Generate).turns() == []


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [(None, 300.0), (0, 0.0), (2.5, 2.5), (-1, float("inf")), ("5m", 300.0), ("1h30m", 5400.0), ("250ms", 0.25),
     ("-1s", float("inf")), ("0s", 0.0)],
)  # fmt: skip
def test_keep_alive(raw: Any, seconds: float) -> None:
    assert payloads.keep_alive_seconds(raw) == seconds


@pytest.mark.parametrize("raw", ["", "5", "five minutes", "5m!", "m"])
def test_a_keep_alive_that_is_no_duration_is_refused(raw: str) -> None:
    with pytest.raises(ApiError, match="keep_alive"):
        payloads.keep_alive_seconds(raw)


@pytest.mark.parametrize(
    "fields",
    [
        {"options": {"mirostat": 1}},
        {"options": {"num_predict": "many"}},
        {"messages": [{"role": "user", "content": "x", "images": ["eA=="]}]},
        {"messages": [{"role": "tool", "content": "x"}]},
        {"tools": [{"type": "function"}]},
        {"think": True},
        {"format": 7},
        {"logprobs": True},
    ],
)
def test_what_is_not_supported_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refused:
        chat(**fields)
    assert refused.value.status == 400


def test_context_size_must_make_sense() -> None:
    assert payloads.context_tokens(payloads.Options()) == 4096
    with pytest.raises(ApiError, match="num_ctx"):
        payloads.context_tokens(payloads.Options(num_ctx=1))


class FakeRunner:
    """Stands for llama.cpp: two words per request, or an endless stream, or an error."""

    def __init__(self) -> None:
        self.started = threading.Event()

    def handle_chat_completions(self, request: dict[str, Any], on_chunk: Callable[[dict[str, Any]], bool]) -> None:
        self.started.set()
        kind = request["kind"]
        if kind == "refused":
            raise ValueError("bad schema")
        if kind == "broken":
            raise RuntimeError("out of memory")
        if kind == "too long":
            on_chunk({"error": {"code": 400, "message": "exceeds the context"}})
            return
        while not on_chunk(_word("on ")) and kind == "endless":
            pass
        on_chunk({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"completion_tokens": 1}})


def _word(text: str) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": text}, "finish_reason": None}]}


def job(kind: str | None, keep_alive: float = 300.0, context_tokens: int = 64) -> Job:
    return Job("m:latest", WEIGHTS, None if kind is None else {"kind": kind}, context_tokens, keep_alive)


class Loads:
    """Counts the loads of an engine over fake runners."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.runner = FakeRunner()
        self.engine = Engine(self._load)

    def _load(self, _file: Path, context_tokens: int) -> FakeRunner:
        self.sizes.append(context_tokens)
        return self.runner


@pytest.fixture
def loads() -> Iterator[Loads]:
    made = Loads()
    yield made
    made.engine.close()


async def finish(loads: Loads, one: Job) -> tuple[str, dict[str, Any]]:
    tally = Tally()
    text = "".join([tally.text_of(chunk) async for chunk in loads.engine.submit(one)])
    return text, tally.statistics(one, seconds=1.5)


async def test_a_generation_gives_text_and_statistics(loads: Loads) -> None:
    text, statistics = await finish(loads, job("short"))
    assert text == "on "
    assert statistics["done_reason"] == "stop"
    assert statistics["eval_count"] == 1
    assert statistics["total_duration"] == 1_500_000_000


async def test_the_model_is_loaded_once_and_again_for_another_context(loads: Loads) -> None:
    for size in (64, 64, 128):
        await finish(loads, job("short", context_tokens=size))
    assert loads.sizes == [64, 128]


async def test_no_keep_alive_unloads(loads: Loads) -> None:
    await finish(loads, job(None))
    assert loads.engine.loaded is not None
    _, statistics = await finish(loads, job(None, keep_alive=0))
    assert statistics["done_reason"] == "unload"
    assert loads.engine.loaded is None
    await finish(loads, job("short", keep_alive=0))
    assert loads.engine.loaded is None


async def test_an_idle_model_is_unloaded(loads: Loads) -> None:
    await finish(loads, job("short", keep_alive=0.02))
    for _ in range(1500):
        if loads.engine.loaded is None:
            return
        await asyncio.sleep(0.02)
    pytest.fail("still loaded after half a minute")


@pytest.mark.parametrize(("kind", "status"), [("refused", 400), ("broken", 500), ("too long", 400)])
async def test_failures_become_errors_and_the_engine_goes_on(loads: Loads, kind: str, status: int) -> None:
    with pytest.raises(ApiError) as failed:
        await finish(loads, job(kind))
    assert failed.value.status == status
    assert (await finish(loads, job("short")))[0] == "on "


async def test_leaving_early_stops_the_generation(loads: Loads) -> None:
    async for _ in aiter(loads.engine.submit(job("endless"))):
        break
    assert (await asyncio.wait_for(finish(loads, job("short")), timeout=60))[0] == "on "


async def test_a_full_queue_refuses(loads: Loads) -> None:
    running = loads.engine.submit(job("endless"))
    assert await asyncio.to_thread(loads.runner.started.wait, 60)
    waiting = [loads.engine.submit(job("short")) for _ in range(MAX_WAITING)]
    with pytest.raises(ApiError, match="server busy") as refused:
        loads.engine.submit(job("short"))
    assert refused.value.status == 503
    running.cancelled.set()
    for one in waiting:
        assert [chunk async for chunk in one]


def _gguf_string(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def write_gguf(file: Path) -> None:
    pairs = [
        _gguf_string("general.architecture") + struct.pack("<I", 8) + _gguf_string("qwen2"),
        _gguf_string("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + _gguf_string("a") + _gguf_string("b"),
        _gguf_string("general.file_type") + struct.pack("<II", 4, 15),
    ]
    file.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs)) + b"".join(pairs))


def test_gguf_header(tmp_path: Path) -> None:
    write_gguf(tmp_path / "model.gguf")
    assert read_metadata(tmp_path / "model.gguf") == {"general.architecture": "qwen2", "general.file_type": 15}


@pytest.mark.parametrize("content", [b"", b"GGML and more", b"GGUF", b"GGUF" + b"\xff" * 40])
def test_a_damaged_header_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.gguf").write_bytes(content)
    with pytest.raises(FatalError, match=r"model\.gguf"):
        read_metadata(tmp_path / "model.gguf")


def test_local_weights_are_listed_under_the_name_they_were_given(tmp_path: Path) -> None:
    write_gguf(tmp_path / "mine.gguf")
    models = tmp_path / "models"
    install_weights(Blobs(tmp_path), models, "mine", local=tmp_path / "mine.gguf")
    library = Library(models)
    (listed,) = library.listing()
    assert (listed["model"], listed["details"]["quantization_level"]) == ("mine:latest", "Q4_K_M")
    assert library.find("mine") == library.find("mine:latest") == tmp_path / "mine.gguf"
    with pytest.raises(ApiError, match="model 'other' not found"):
        library.find("other")
    (tmp_path / "mine.gguf").unlink()
    with pytest.raises(ApiError, match="gone") as gone:
        library.show("mine")
    assert gone.value.status == 500


def test_weights_that_cannot_serve_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a model")
    for local in (tmp_path / "notes.txt", tmp_path / "absent.gguf", tmp_path):
        with pytest.raises(FatalError, match="RISKEE_LLM__WEIGHTS"):
            install_weights(Blobs(tmp_path), tmp_path, "mine", local=local)
    with pytest.raises(FatalError, match="no download"):
        install_weights(Blobs(tmp_path), tmp_path, "mine")
