"""Writes docs/stream.md and docs/stream.json from the messages: `python -m serving.api.streaming.description`.

The second is an AsyncAPI 3 document with the schema of each message. A test compares both with the code.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec

from riskee import __version__
from riskee.settings import StreamSettings
from serving.api.streaming.messages import Request, Sent

_DOCS = Path(__file__).parents[3] / "docs"
_REFERENCE = "#/components/schemas/{name}"
_HEAD = """\
# The stream

*Written by `make docs` from serving/api/streaming; the schemas are in [stream.json](stream.json) (AsyncAPI 3).*

The same messages come in two ways; both need the scope `stream:read` where the API asks for credentials.

- **WebSocket** `/v1/stream` (or `/stream`): send `{"type": "subscribe", "tickers": ["AAPL", "IBM"]}`, `["*"]` for all.
  `unsubscribe` is the opposite. A browser sends its token as subprotocol: `["riskee.v1", "riskee.bearer.<token>"]`.
- **Server-sent events** `GET /v1/stream/events?tickers=AAPL,IBM` (or `*`): the event's name is the message's `type`
  (`problem` for `error`, a name that browsers keep for themselves), its data the same JSON.

## What is promised

- After `subscribe` come `subscribed`, where the numbers stand (`status`), the last known prediction of each ticker
  (`snapshot`), and `complete`. Updates that are made meanwhile may come between; no snapshot is older than an update
  that came before it.
- `sequence` is one rising number for all that one process of the API has told since it started (its `epoch`). It never
  falls within a connection. Gaps are normal: they belong to other tickers.
- **The latest wins.** A client that reads more slowly than things happen gets the newest of each ticker and kind, in
  the order of their sequence, and never a backlog. Who needs every prediction reads the history.
- **Resume.** A client that was cut off sends `resume` with the `epoch` and the highest `sequence` that it saw. If
  `subscribed` says `resumed`, all that it missed of its tickers follows, the newest of each, and nothing twice. If not
  (another process, a restart, or away for longer than the log reaches), everything begins anew with snapshots. Resume
  only after a `complete`, with the same tickers, and in the first request of a connection. With events all of this is
  done by `Last-Event-ID`, which browsers send by themselves: events have an `id` as soon as one can go on from them.
- Explanations of subscribed tickers: `explaining` while they are written, then `explained`.
- Nothing for a while: `heartbeat` (with events a comment). Hear nothing for three times as long: connect again.
- Requests count against the limit of the key or subject, as over HTTP: each after the first of a connection once, the
  tickers of a `subscribe` once more for every 128, `*` as 39. What is too much is an `error` with status 429, whose
  `next_step` says when to ask again.

## Ends

| code | why | what to do |
|---|---|---|
| 1008 | the credential has ended | connect with a new one |
| 1009 | a frame was too large | send smaller requests |
| 1011 | its messages could not be written: a fault of the API | connect again; it is in the API's log |
| 1012 | the API ends or restarts | connect again and resume |
| 1013 | nothing was read for too long, or the servers are away | connect again, read faster, and resume |

An event stream says the same in a last comment. Before the connection stands, refusals are HTTP answers with problem
details: 401 and 403, 404 for an unknown ticker (events), 429 for too many connections of an address, 503 of a process.
"""


def messages() -> tuple[type[msgspec.Struct], ...]:
    """The types of all messages that are sent."""
    types: tuple[type[msgspec.Struct], ...] = get_args(Sent)
    return types


def page() -> str:
    """docs/stream.md."""
    example = (_DOCS / "examples" / "stream_client.py").read_text()
    parts = [
        _HEAD,
        "## Messages\n",
        *_described(),
        "## Limits\n",
        "| setting | default | meaning |\n|---|---|---|",
        *_limits(),
        "\n## A client that resumes\n",
        f"[examples/stream_client.py](examples/stream_client.py):\n\n```python\n{example}```\n",
    ]
    return "\n".join(parts)


def _described() -> Iterator[str]:
    described: tuple[type[msgspec.Struct], ...] = (*messages(), Request)
    for message in described:
        name = message.__struct_config__.tag or "A request"
        text = inspect.cleandoc(message.__doc__ or "")
        yield f"### {name}\n\n{text}\n"
        yield "| field | type |\n|---|---|"
        (schema,), components = msgspec.json.schema_components((message,), ref_template=_REFERENCE)
        properties = components[schema["$ref"].rpartition("/")[2]]["properties"]
        yield "\n".join(f"| `{field}` | {_type(of)} |" for field, of in properties.items()) + "\n"


def _type(schema: dict[str, Any]) -> str:
    """A JSON schema in a few words."""
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f'"{value}"' for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    return str(schema.get("format") or schema.get("type") or "any")


def _limits() -> Iterator[str]:
    for name, field in StreamSettings.model_fields.items():
        yield f"| `RISKEE_STREAM__{name.upper()}` | {field.default:,} | {field.description} |"


def asyncapi() -> dict[str, Any]:
    """docs/stream.json."""
    types: tuple[type[msgspec.Struct], ...] = (*messages(), Request)
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    named = {kind.__name__: {"payload": schema} for kind, schema in zip(types, schemas, strict=True)}
    references = {name: {"$ref": f"#/components/messages/{name}"} for name in named}
    sent = [{"$ref": f"#/channels/stream/messages/{kind.__name__}"} for kind in messages()]
    channel = {"$ref": "#/channels/stream"}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Riskee's stream", "version": __version__},
        "defaultContentType": "application/json",
        "channels": {"stream": {"address": "/v1/stream", "messages": references}},
        "operations": {
            "hear": {"action": "send", "channel": channel, "messages": sent},
            "ask": {
                "action": "receive",
                "channel": channel,
                "messages": [{"$ref": "#/channels/stream/messages/Request"}],
            },
        },
        "components": {"messages": named, "schemas": components},
    }


def asyncapi_text() -> str:
    """docs/stream.json as it is written."""
    return msgspec.json.format(msgspec.json.encode(asyncapi()), indent=2).decode() + "\n"


if __name__ == "__main__":
    (_DOCS / "stream.md").write_text(page())
    (_DOCS / "stream.json").write_text(asyncapi_text())
