"""The bare broadcast that the stream is compared with: `python -m serving.bench.stream_floor PORT`.

The same messages from the same subject, passed on as they are to whoever asked for their ticker, by the broadcast of
`websockets`: no snapshot, no sequence, no status, no resume, no limits, no heartbeat, nothing for a slow reader.
"""

import sys
from collections import defaultdict

import msgspec
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg
from websockets.asyncio.server import ServerConnection, broadcast, serve

from riskee.messaging.subjects import PREDICTION_UPDATED
from riskee.settings import load_settings


class _Prediction(msgspec.Struct):
    ticker: str


class _Message(msgspec.Struct):
    payload: _Prediction


class _Request(msgspec.Struct):
    tickers: list[str]


async def main() -> None:
    """Serve until the process is ended."""
    listening: defaultdict[str, set[ServerConnection]] = defaultdict(set)
    decoder = msgspec.json.Decoder(_Message)

    async def pass_on(message: Msg) -> None:
        broadcast(listening[decoder.decode(message.data).payload.ticker], message.data.decode())

    async def listen(socket: ServerConnection) -> None:
        tickers = msgspec.json.decode(await socket.recv(), type=_Request).tickers
        for ticker in tickers:
            listening[ticker].add(socket)
        await socket.send('{"type":"complete"}')
        await socket.wait_closed()
        for ticker in tickers:
            listening[ticker].discard(socket)

    client = Client()
    await client.connect(load_settings().nats.url.get_secret_value())
    await client.subscribe(PREDICTION_UPDATED.name, cb=pass_on)
    async with serve(listen, "127.0.0.1", int(sys.argv[1]), compression=None, backlog=4096) as server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
