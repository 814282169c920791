"""`/stream`: predictions over a WebSocket.

The client sends `{"type": "subscribe" | "unsubscribe", "tickers": ["AAPL", …]}`, `*` for all. It receives, each with
the connection's running `sequence`: `subscribed`, `status` (where the numbers stand: at once, and on each change),
`prediction` (first the latest known one, marked `snapshot`, then each new one), `heartbeat` when nothing else came for
a while, and `error` with a problem. A client that reads slowly gets the latest prediction of each ticker and never
those that it missed.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from typing import Literal

import msgspec
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from riskee.errors import RiskeeError
from riskee.messaging.statuses import Status, meaning_of
from riskee.telemetry import STREAM_CONNECTIONS, STREAM_MESSAGES
from serving.api.backend import Backend
from serving.api.hub import ALL, Listener, Update
from serving.api.problems import ProblemError, problem_of
from serving.api.standing import Notice

HEARTBEAT_SECONDS = 15.0

router = APIRouter()


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client sends."""

    type: Literal["subscribe", "unsubscribe"]
    tickers: tuple[str, ...]


class PredictionMessage(msgspec.Struct, frozen=True, tag="prediction"):
    """A prediction with its gravest status, and since when that holds, where it is known; `snapshot` where it was
    known before the subscription."""

    sequence: int
    snapshot: bool
    status: Status
    status_since: datetime | None
    prediction: msgspec.Raw


class StatusMessage(msgspec.Struct, frozen=True, tag="status"):
    """What has become of the numbers of some tickers, or of all where none are named.

    `standing`: it holds until the next such message; then `ok` says that numbers of quotes from `since` on are current,
    and older ones are stale. Not `standing`: it happened to each of the tickers, and holds until its next prediction.
    """

    sequence: int
    status: Status
    since: datetime
    tickers: tuple[str, ...]
    standing: bool
    last_known: bool
    meaning: str
    next_step: str


class SubscribedMessage(msgspec.Struct, frozen=True, tag="subscribed"):
    """All that the connection is subscribed to now."""

    sequence: int
    tickers: tuple[str, ...]


class HeartbeatMessage(msgspec.Struct, frozen=True, tag="heartbeat"):
    """The connection lives, though nothing happened."""

    sequence: int
    time: datetime


class ErrorMessage(msgspec.Struct, frozen=True, tag="error"):
    """A request that could not be met; the connection goes on."""

    sequence: int
    problem: dict[str, object]


Sent = PredictionMessage | StatusMessage | SubscribedMessage | HeartbeatMessage | ErrorMessage


class Connection:
    """One client."""

    def __init__(self, socket: WebSocket, backend: Backend) -> None:
        self._socket = socket
        self._backend = backend
        self._listener = Listener()
        self._sequence = 0
        self._encoder = msgspec.json.Encoder()
        self._sending = asyncio.Lock()

    async def run(self) -> None:
        """Serve until either side closes."""
        sender = asyncio.create_task(self._send_updates())
        receiver = asyncio.create_task(self._receive())
        try:
            done, _ = await asyncio.wait((sender, receiver), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                with suppress(WebSocketDisconnect):
                    task.result()
        finally:
            self._backend.hub.unsubscribe(self._listener, tuple(self._listener.tickers))
            for task in (sender, receiver):
                task.cancel()
            await asyncio.gather(sender, receiver, return_exceptions=True)

    async def _receive(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                await self._refuse(_bad_request("the frame is binary, not text"))
                continue
            try:
                request = msgspec.json.decode(text, type=Request)
                await self._meet(request)
            except msgspec.MsgspecError as error:
                await self._refuse(_bad_request(str(error)))
            except ProblemError as problem:
                await self._refuse(problem)
            except RiskeeError as error:
                await self._refuse(problem_of(error))

    async def _meet(self, request: Request) -> None:
        hub = self._backend.hub
        if request.type == "unsubscribe":
            hub.unsubscribe(self._listener, [ticker.upper() for ticker in request.tickers])
            await self._confirm()
            return
        wanted = [
            ticker if ticker == ALL else await self._backend.directory.predicted(ticker) for ticker in request.tickers
        ]
        hub.subscribe(self._listener, wanted)
        await self._confirm()
        for notice in self._backend.standings.current():
            self._listener.notify(notice)
        await self._offer_snapshots(wanted)

    async def _offer_snapshots(self, wanted: Iterable[str]) -> None:
        tickers = set(wanted)
        if ALL in tickers:
            tickers = {info.ticker for info in await self._backend.directory.infos() if not info.is_index}
        for ticker, number in (await self._backend.reader.latest(sorted(tickers))).items():
            self._listener.offer(ticker, self._backend.hub.update(number, snapshot=True))

    async def _confirm(self) -> None:
        await self._send(SubscribedMessage(self._next(), tuple(sorted(self._listener.tickers))))

    async def _refuse(self, problem: ProblemError) -> None:
        await self._send(ErrorMessage(self._next(), problem.body()))

    async def _send_updates(self) -> None:
        while True:
            try:
                updates = await asyncio.wait_for(self._listener.take(), HEARTBEAT_SECONDS)
            except TimeoutError:
                await self._send(HeartbeatMessage(self._next(), self._backend.clock.now()))
                continue
            for update in updates:
                await self._send(self._notice(update) if isinstance(update, Notice) else self._prediction(update))

    def _prediction(self, update: Update) -> PredictionMessage:
        return PredictionMessage(self._next(), update.snapshot, update.status, update.status_since, update.prediction)

    def _notice(self, notice: Notice) -> StatusMessage:
        (status, since), meaning = notice.reason, meaning_of[notice.reason.status]
        told = meaning.last_known, meaning.text, meaning.next_step
        return StatusMessage(self._next(), status, since, notice.tickers, notice.standing, *told)

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence

    async def _send(
        self, message: PredictionMessage | StatusMessage | SubscribedMessage | HeartbeatMessage | ErrorMessage
    ) -> None:
        kind = str(message.__struct_config__.tag)
        async with self._sending:
            await self._socket.send_text(self._encoder.encode(message).decode())
        STREAM_MESSAGES.labels(kind).inc()


def _bad_request(cause: str) -> ProblemError:
    step = 'send {"type": "subscribe", "tickers": ["AAPL"]}'
    return ProblemError(HTTPStatus.BAD_REQUEST, "bad_request", cause, step)


@router.websocket("/stream")
async def stream(socket: WebSocket) -> None:
    """Predictions as they are made."""
    await socket.accept()
    with STREAM_CONNECTIONS.track_inprogress():
        await Connection(socket, socket.app.state.backend).run()
