"""A server that speaks Ollama's protocol, well or badly, in the event loop of the test."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

Lines = AsyncIterator[bytes]
# What a chat is answered with: the chunks of the body, given the request.
Behaviour = Callable[[dict[str, Any]], Lines]
_SENTENCE = re.compile(r"[^.]+\.")


def line(text: str, *, done: bool = False) -> bytes:
    """A line of a streamed chat as Ollama writes it."""
    counts = {"prompt_eval_count": 123, "eval_count": 45} if done else {}
    said = {"model": "made", "message": {"role": "assistant", "content": text}, "done": done, **counts}
    return json.dumps(said).encode() + b"\n"


def sentences_for(request: dict[str, Any]) -> dict[str, str]:
    """What a good model would say: the first driver, and of each document its first sentence."""
    prompt, answer = request["messages"][-1]["content"], {}
    for label, schema in request["format"].get("properties", {}).items():
        if label == "reason":
            first = re.match(r"\^\(([^|)]+)", schema["pattern"])
            verb, way = re.search(r"\(([a-z]+)\|[a-z|]*\) the forecast (up|down)", schema["pattern"]).groups()  # type: ignore[union-attr]
            answer[label] = f"{first[1] if first else ''} {verb} the forecast {way}."
        else:
            fenced = prompt.split(f'<document id="{label}">\n')[1].split("\n</document>")[0]
            answer[label] = _SENTENCE.match(fenced)[0]  # type: ignore[index]
    return answer


async def good(request: dict[str, Any]) -> Lines:
    """True sentences, a word at a time."""
    for word in re.findall(r"\S+\s*", json.dumps(sentences_for(request))):
        yield line(word)
        await asyncio.sleep(0)
    yield line("", done=True)


def slow(seconds: float) -> Behaviour:
    """Good, but it takes its time."""

    async def answer(request: dict[str, Any]) -> Lines:
        await asyncio.sleep(seconds)
        async for each in good(request):
            yield each

    return answer


def held_back(until: asyncio.Event) -> Behaviour:
    """Good, once it may be."""

    async def answer(request: dict[str, Any]) -> Lines:
        await until.wait()
        async for each in good(request):
            yield each

    return answer


async def silent(_request: dict[str, Any]) -> Lines:
    """Never says anything."""
    await asyncio.Event().wait()
    yield b""


async def dripping(_request: dict[str, Any]) -> Lines:
    """Is never at the end of its first sentence."""
    yield line('{"reason": "')
    while True:
        await asyncio.sleep(0.05)
        yield line("so ")


async def endless(_request: dict[str, Any]) -> Lines:
    """White space for ever, as small models do that a grammar holds."""
    while True:
        yield line("\n" * 50)
        await asyncio.sleep(0)


async def lying(request: dict[str, Any]) -> Lines:
    """Well-formed falsehoods and advice."""
    false = "Everybody should buy IBM because it gained 99% and will double."
    yield line(json.dumps(dict.fromkeys(request["format"]["properties"], false)))
    yield line("", done=True)


def saying(*chunks: bytes) -> Behaviour:
    """These bytes, whatever was asked."""

    async def answer(_request: dict[str, Any]) -> Lines:
        for chunk in chunks:
            yield chunk

    return answer


# By name: what each sends in place of an answer.
GARBAGE = {
    "no json": saying(b"<html>busy</html>\n"),
    "half a line": saying(b'{"model": "made", "mess'),
    "another protocol": saying(b"[1, 2, 3]\n"),
    "a number": saying(b"7\n"),
    "no message": saying(b'{"model": "made", "done": true}\n'),
    "a wrong type": saying(b'{"model": "made", "message": {"role": "assistant", "content": ["x"]}}\n'),
    "no utf-8": saying(b"\xff\xfe\x00\n"),
    "deeper than anybody": saying(b"[" * 100_000 + b"\n"),
    "an error in the middle": saying(line('{"reason": "The'), b'{"error": "out of memory"}\n'),
    "nothing": saying(),
    "prose": saying(line("I would be happy to explain"), line("", done=True)),
    "other json": saying(line('{"A": {"text": 3}}'), line("", done=True)),
    "endless white space": endless,
}


class Ollama:
    """Listens while it is entered. `asked` are the bodies of the chats, `most` how many were answered at once."""

    def __init__(self, behaviour: Behaviour, status: int = 200) -> None:
        self.behaviour = behaviour
        self._status = status
        self.asked: list[dict[str, Any]] = []
        self.most = self._now = 0
        self.url = ""

    @property
    def chats(self) -> int:
        """How often it was asked for an explanation: warming up is none."""
        return sum("properties" in request["format"] for request in self.asked)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Ollama"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(re.search(r"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
            request = json.loads(await reader.readexactly(length))
            self.asked.append(request)
            self._now += 1
            self.most = max(self.most, self._now)
            try:
                await self._answer(request, reader, writer)
            finally:
                self._now -= 1
        writer.close()

    async def _answer(
        self, request: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = f"HTTP/1.1 {self._status} X\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        # The client that hangs up is noticed also by a server that says nothing.
        gone = asyncio.create_task(reader.read())
        said = asyncio.create_task(self._say(request, writer))
        await asyncio.wait({gone, said}, return_when=asyncio.FIRST_COMPLETED)
        for task in (gone, said):
            task.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await task

    async def _say(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if "properties" not in request["format"]:
            writer.write(line("{}", done=True))
        else:
            async for chunk in self.behaviour(request):
                writer.write(chunk)
                await writer.drain()
        await writer.drain()
