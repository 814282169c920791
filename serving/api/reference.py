"""Writes docs/api.md from the OpenAPI document: `python -m serving.api.reference` (`make docs`)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from riskee.settings import Settings
from serving.api.app import create_app
from serving.api.document import TAGS

PAGE = Path(__file__).parents[2] / "docs" / "api.md"

HEAD = """\
# The API

*Written by `make docs` from the OpenAPI document, which a running API serves at `/openapi.json` and shows at `/docs`.
The stream has [a page of its own](stream.md). A test runs every command of this page.*

## What holds of every route

- **Paths.** The versioned ones are below. Each also answers without `/v1`, by the same code.
- **Who calls.** On loopback the embedded profile asks nobody. Elsewhere: `Authorization: Bearer <key or JWT>`; the
  scope that a route asks for is beside it.
- **Errors** are problem documents (RFC 9457), those of unknown paths and of defects too. `type` is for programs,
  `detail` and `next_step` are for people; `request_id` finds the request in the logs. Nothing of a server's own message
  is told.
- **Request ids.** `X-Request-ID` (up to 128 letters, digits, `.`, `_`, `-`) is taken over; else one is made. It is in
  the answer, in problems, and in every line that is logged on the way.
- **Keeping answers.** What has an `ETag` is saved by `If-None-Match`: 304 without a body while nothing has changed.
  `HEAD` is answered by `/v1/predict/{ticker}` alone, as its GET without the body; the other routes answer 405.
  `Cache-Control` is `private`: `no-cache` for what changes with the market, up to an hour for what does not.
- **Idempotency.** A POST with an `Idempotency-Key` (up to 128 letters, digits, `_`, `-`) is done once. For an hour the
  same request of the same caller gets the same answer (`Idempotency-Status: replayed`), another request with that key
  422, and one while the first is under way 409. Not kept is what failed, what only reads (`not kept`: predictions that
  are not `fresh`), and an answer above 256 KiB (`too large to be kept`): sent again it is done again. While Redis is
  away the request is done as without a key, and the answer says `Idempotency-Status: unavailable`: nothing here does
  harm when it is done twice.
- **Servers that are away.** Without Redis predictions come from the database, with the status `stale`; without the
  database Redis serves them. No request waits for a Redis that hangs: it is asked once a second, beside the requests.
  What needs a server that is away is 503 with `Retry-After`.
- **Fresh predictions** are made of a ticker's latest quote and of the market as it is now, by the kind of model that
  predicted it last; each has an id and a row of its own. Those that take longer than `wait_seconds` are a job: 202,
  and `Location` says where to look for it. A job is kept in Redis for an hour; after a restart of the API it has what
  came before it, and what predict computed since. What was not heard it lists among its failures, as `unknown`. 32
  jobs may be under way at once, 16 of one caller.

`$RISKEE` is where the API runs, such as `http://127.0.0.1:8000`.
"""

# By operation; a test runs them against a running API.
EXAMPLES = {
    "predict": "curl -fsS $RISKEE/v1/predict/AAPL",
    "predict_batch": "curl -fsS $RISKEE/v1/predict -H 'Content-Type: application/json' \\\n"
    '  -H \'Idempotency-Key: my-key-1\' -d \'{"tickers": ["AAPL", "IBM"]}\'',
    "history": 'curl -fsS "$RISKEE/v1/predictions/AAPL?each=session&limit=5&from=2013-01-01T00:00:00Z"',
    "explain": "curl -fsS -X POST $RISKEE/v1/explain/AAPL",
    "features": "curl -fsS $RISKEE/v1/features/AAPL",
    "models": 'curl -fsS "$RISKEE/v1/models?limit=5"',
    "track_record": "curl -fsS $RISKEE/v1/track-record",
    "track_record_of": "curl -fsS $RISKEE/v1/track-record/AAPL",
    "tickers": 'curl -fsS "$RISKEE/v1/tickers?search=aa"',
    "statuses": "curl -fsS $RISKEE/v1/statuses -H 'X-Request-ID: mine-1'",
    "live": "curl -fsS $RISKEE/health/live",
    "ready": "curl -fsS $RISKEE/health/ready",
    "metrics": "curl -fsS $RISKEE/metrics",
}

# Every `type` of a problem, without its prefix.
PROBLEMS = {
    "bad_cursor": "`before` is no cursor of this list",
    "bad_input": "the input can never be worked with",
    "bad_request": "a parameter or the body is not as the document says; `errors` names each place",
    "body_too_long": "the body is longer than the API takes",
    "forbidden": "the credential lacks the scope",
    "foreign_origin": "a page of another origin asks, and is not let in",
    "idempotency_key_reused": "the Idempotency-Key was sent with another request",
    "in_progress": "the request with this Idempotency-Key is under way",
    "internal": "a defect; the log has it under `request_id`",
    "method_not_allowed": "the path has other methods: `Allow` names them",
    "no_features": "no features of the ticker are known",
    "no_prediction": "the ticker has not been predicted yet",
    "not_found": "there is no such path, prediction, explanation or model",
    "slow_body": "the body did not come in time",
    "timeout": "the answer did not come in time",
    "too_many_connections": "there are enough connections",
    "too_many_jobs": "there are enough jobs under way: 429 where they are the caller's own, else 503",
    "too_many_requests": "the caller's rate is used up: `Retry-After` says when to go on",
    "too_many_tickers": "a connection cannot listen to so many tickers",
    "unauthorized": "no credential, or one that proves nothing",
    "unavailable": "a server that the answer needs is away",
    "unknown_document": "there is no such document",
    "unknown_host": "the API is not called by this name",
    "unknown_job": "nothing is known of the job",
    "unknown_ticker": "the ticker is not predicted; `near` names some that are",
}


def render() -> str:
    """The page."""
    document = create_app(Settings()).openapi()
    return "\n".join([HEAD, *_problems(), *_routes(document)]).rstrip() + "\n"


def _problems() -> Iterator[str]:
    yield "## Problems\n"
    yield "| `type`, after `urn:riskee:problem:` | when |\n|---|---|"
    yield from (f"| `{kind}` | {meaning} |" for kind, meaning in sorted(PROBLEMS.items()))
    yield ""


def _routes(document: dict[str, Any]) -> Iterator[str]:
    tags = [tag["name"] for tag in TAGS]
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    for tag in tags:
        yield f"## {tag.capitalize()}\n"
        for path, method, operation in operations:
            if operation["tags"] == [tag]:
                yield from _route(path, method, operation)
                yield from _body(operation, document["components"]["schemas"])
                yield from _example(operation)


def _route(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"### `{method.upper()} {path}`\n"
    yield operation["description"] + "\n"
    scopes = [scope for each in operation.get("security", ()) for scopes in each.values() for scope in scopes]
    if scopes:
        yield f"Scope: `{', '.join(scopes)}`. Answers: {', '.join(sorted(operation['responses']))}.\n"
    parameters = [one for one in operation.get("parameters", ()) if one["in"] != "header"]
    if parameters:
        yield "| parameter | in | what |\n|---|---|---|"
        yield from (f"| `{one['name']}` | {one['in']} | {_meaning(one)} |" for one in parameters)
        yield ""


def _body(operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    if "requestBody" in operation:
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        fields = schemas[reference.rpartition("/")[2]]["properties"]
        yield "| field of the body | what |\n|---|---|"
        yield from (f"| `{name}` | {field['description']} |" for name, field in fields.items())
        yield ""


def _example(operation: dict[str, Any]) -> Iterator[str]:
    example = EXAMPLES.get(operation["operationId"])
    if example:
        yield f"```sh\n{example}\n```\n"


def _meaning(parameter: dict[str, Any]) -> str:
    default = parameter["schema"].get("default")
    meaning: str = parameter.get("description", "an id")
    return meaning if default in {None, ""} else f"{meaning}; {default} unless given"


if __name__ == "__main__":
    PAGE.write_text(render())
