"""The LLM front, driven by the real Ollama client over HTTP, with the real weights.

The weights are fetched once into the checkout's `.riskee/blobs`, where the product keeps them too.
"""

import json
import time
from collections.abc import Iterator

import httpx
import ollama
import pytest

from riskee.blobs import Blobs, install_weights
from tests.integration.front_server import REPOSITORY, FrontServer

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MODEL = "qwen2.5-coder:0.5b"
QUESTION = [{"role": "user", "content": "Name two reasons why a share price rises. Be brief."}]
SCHEMA = {
    "type": "object",
    "properties": {
        "sentence": {"type": "string", "pattern": "^[A-Z][a-z ]{10,60}\\.$"},
        "source": {"type": "string", "enum": ["A", "B", "C"]},
    },
    "required": ["sentence", "source"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontServer]:
    models = tmp_path_factory.mktemp("models")
    install_weights(Blobs(REPOSITORY / ".riskee"), models, MODEL)
    started = FrontServer("infra.embedded.ollama_front", ["--models", str(models)], "/api/version")
    yield started
    started.end()


@pytest.fixture(scope="module")
def client(server: FrontServer) -> Iterator[ollama.Client]:
    with ollama.Client(host=server.url, timeout=120) as connected:
        yield connected


def test_lists_and_shows_the_model_without_loading_it(client: ollama.Client) -> None:
    (listed,) = client.list().models
    assert listed.model == MODEL
    assert listed.size == 491_400_064
    shown = client.show(MODEL)
    assert shown.details is not None
    assert (shown.details.family, shown.details.quantization_level) == ("qwen2", "Q4_K_M")
    assert shown.modelinfo is not None
    assert shown.modelinfo["qwen2.context_length"] == 32_768
    assert client.ps().models == []


def test_chat_answers_with_its_statistics(client: ollama.Client) -> None:
    answer = client.chat(MODEL, QUESTION, options={"num_predict": 8, "temperature": 0, "seed": 7}, keep_alive="10m")
    assert answer.done
    assert answer.done_reason == "length"
    assert answer.message.role == "assistant"
    assert len(answer.message.content or "") > 10
    assert answer.eval_count == 8
    assert answer.prompt_eval_count is not None
    assert answer.prompt_eval_count > 10
    assert answer.total_duration is not None
    assert answer.eval_duration is not None
    assert 0 < answer.eval_duration < answer.total_duration
    (running,) = client.ps().models
    assert (running.model, running.context_length) == (MODEL, 4096)


def test_a_stream_gives_the_same_text_in_pieces(client: ollama.Client) -> None:
    options = {"num_predict": 12, "temperature": 0, "seed": 7}
    pieces = list(client.chat(MODEL, QUESTION, options=options, stream=True))
    whole = client.chat(MODEL, QUESTION, options=options)
    assert len(pieces) > 5
    assert [piece.done for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert "".join(piece.message.content or "" for piece in pieces) == whole.message.content
    assert pieces[-1].eval_count == 12


def test_a_schema_is_kept_to(client: ollama.Client) -> None:
    answer = client.chat(MODEL, QUESTION, format=SCHEMA, options={"num_predict": 80, "temperature": 0.7, "seed": 3})
    parsed = json.loads(answer.message.content or "")
    assert parsed.keys() == {"sentence", "source"}
    assert parsed["source"] in {"A", "B", "C"}
    assert parsed["sentence"].endswith(".")
    assert not any(character.isdigit() for character in parsed["sentence"])


def test_generate_takes_a_system_prompt_and_stops_where_told(client: ollama.Client) -> None:
    answer = client.generate(
        MODEL, "Count from one to nine in digits, separated by spaces.", system="You only count.",
        options={"num_predict": 30, "temperature": 0, "stop": ["5"]},
    )  # fmt: skip
    assert answer.done_reason == "stop"
    text = answer.response or ""
    assert "4" in text
    assert "5" not in text


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/api/chat", {"model": "gemma3:4b", "messages": []}, 404, "model 'gemma3:4b' not found"),
        ("/api/show", {"model": "gemma3:4b"}, 404, "not found"),
        ("/api/chat", {"model": MODEL, "messages": QUESTION, "options": {"mirostat": 1}}, 400, "mirostat"),
        ("/api/chat", {"model": MODEL, "messages": QUESTION, "tools": [{}]}, 400, "tools"),
        ("/api/chat", {"model": MODEL, "messages": QUESTION, "keep_alive": "soon"}, 400, "keep_alive"),
        ("/api/chat", {"model": MODEL, "messages": QUESTION, "format": {"type": "banana"}}, 400, "schema"),
        ("/api/chat", {"model": MODEL, "messages": [{"role": "user", "content": "a " * 5000}]}, 400, "context size"),
        ("/api/generate", {"model": MODEL, "prompt": "x", "images": ["eA=="]}, 400, "images"),
        ("/api/embed", {"model": MODEL, "input": "x"}, 501, "/api/embed is not supported"),
        ("/api/pull", {"model": MODEL}, 501, "/api/pull is not supported"),
        ("/v1/chat", {}, 404, "/v1/chat"),
    ],
)
def test_what_is_not_supported_is_refused(
    server: FrontServer, path: str, body: object, status: int, words: str
) -> None:
    answer = httpx.post(server.url + path, json=body, timeout=60)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["error"]


def test_a_client_that_hangs_up_frees_the_model(client: ollama.Client, server: FrontServer) -> None:
    # The schema forbids an early end, which a free answer may come to.
    numbers = {"type": "array", "items": {"type": "integer"}, "minItems": 1000}
    endless = {"model": MODEL, "messages": QUESTION, "format": numbers, "options": {"num_predict": 2000, "seed": 5}}
    began = time.monotonic()
    client.chat(MODEL, QUESTION, options={"num_predict": 20, "temperature": 0})
    twenty_tokens = time.monotonic() - began
    with httpx.stream("POST", server.url + "/api/chat", json={**endless, "stream": True}, timeout=60) as stream:
        next(stream.iter_lines())
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(server.url + "/api/chat", json={**endless, "stream": False}, timeout=1)
    began = time.monotonic()
    client.chat(MODEL, QUESTION, options={"num_predict": 1})
    # Each of the two would have written a hundred times as many.
    assert time.monotonic() - began < 30 * twenty_tokens


def test_an_empty_prompt_with_no_keep_alive_unloads(client: ollama.Client) -> None:
    assert client.generate(MODEL, "").done_reason == "load"
    assert len(client.ps().models) == 1
    assert client.generate(MODEL, "", keep_alive=0).done_reason == "unload"
    assert client.ps().models == []
