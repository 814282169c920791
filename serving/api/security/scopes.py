"""Which scope each route asks for: the one table. A route without a row is nobody's."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from starlette.routing import compile_path

from riskee.access.grants import Grant


class Patience(Enum):
    """How long an answer may take; see `Deadlines` for the seconds."""

    USUAL = "usual"
    FRESH = "fresh"
    EXPLANATION = "explanation"
    ENDLESS = "endless"


@dataclass(frozen=True, slots=True)
class Rule:
    """A row: `grant` None is for everybody; `page` is what a browser shows, so it may load scripts of its own.

    `probed` is what health checks and Prometheus ask for, by an address of their own network.
    """

    method: str
    path: str
    grant: Grant | None
    patience: Patience = Patience.USUAL
    page: bool = False
    probed: bool = False


class Found(NamedTuple):
    """The rule of a path, and whether its method is that of the request: if not, the router says which are."""

    rule: Rule
    exact: bool


WEBSOCKET = "WS"

ROUTES = (
    Rule("GET", "/", None, page=True),
    Rule("GET", "/dashboard", None, page=True),
    Rule("GET", "/dashboard/{path:path}", None, page=True),
    Rule("GET", "/swagger", None, page=True),
    Rule("GET", "/swagger/{path:path}", None, page=True),
    Rule("GET", "/docs", None, page=True),
    Rule("GET", "/openapi.json", None),
    Rule("GET", "/health/live", None, probed=True),
    Rule("GET", "/health/ready", None, probed=True),
    Rule("GET", "/metrics", Grant.METRICS_READ, probed=True),
    Rule("GET", "/v1/predict/{ticker}", Grant.PREDICTIONS_READ),
    # `fresh` asks for predictions:compute besides; the route sees to it.
    Rule("POST", "/v1/predict", Grant.PREDICTIONS_READ, Patience.FRESH),
    Rule("GET", "/v1/jobs/{job_id}", Grant.PREDICTIONS_COMPUTE),
    Rule("GET", "/v1/predictions/{ticker}", Grant.PREDICTIONS_READ),
    Rule("GET", "/v1/features/{ticker}", Grant.PREDICTIONS_READ),
    Rule("GET", "/v1/track-record", Grant.PREDICTIONS_READ),
    Rule("GET", "/v1/track-record/{ticker}", Grant.PREDICTIONS_READ),
    Rule("GET", "/v1/statuses", Grant.PREDICTIONS_READ),
    Rule("GET", "/v1/tickers", Grant.PREDICTIONS_READ),
    # By a ticker it may write one: the seed's short path. The route asks for explanations:create then.
    Rule("GET", "/v1/explain/{reference}", Grant.EXPLANATIONS_READ, Patience.EXPLANATION),
    Rule("POST", "/v1/explain/{reference}", Grant.EXPLANATIONS_CREATE, Patience.EXPLANATION),
    Rule("GET", "/v1/documents/{document_id}", Grant.EXPLANATIONS_READ),
    Rule("GET", "/v1/models", Grant.MODELS_READ),
    Rule("GET", "/v1/models/{version}", Grant.MODELS_READ),
    Rule(WEBSOCKET, "/v1/stream", Grant.STREAM_READ, Patience.ENDLESS),
    Rule("GET", "/v1/stream/events", Grant.STREAM_READ, Patience.ENDLESS),
)

# The longest path of a route with a usual parameter has less.
_REMEMBERED_LENGTH = 128
# More than the tickers: who asks for one after another would find none of fewer, and all patterns be tried each time.
_REMEMBERED = 16_384
_PATTERNS = [(rule, compile_path(rule.path)[0]) for rule in ROUTES]


def rule_of(method: str, path: str) -> Found | None:
    """The row of a request; None where no row has its path."""
    # Whoever is not let in can fill what is remembered: not with long paths, nor with methods that are none.
    known = len(path) <= _REMEMBERED_LENGTH and len(method) <= _REMEMBERED_LENGTH
    return _remembered_rule(method, path) if known else _rule_of(method, path)


def _rule_of(method: str, path: str) -> Found | None:
    wanted = "GET" if method == "HEAD" else method
    of_path = [rule for rule, pattern in _PATTERNS if pattern.match(path)]
    # A template may also match a path that another row names in full.
    of_path.sort(key=lambda rule: rule.path.count("{"))
    same = [rule for rule in of_path if rule.method == wanted]
    if same:
        return Found(same[0], exact=True)
    return Found(of_path[0], exact=False) if of_path else None


_remembered_rule = lru_cache(_REMEMBERED)(_rule_of)


def methods_of(path: str) -> list[str]:
    """The methods of HTTP that the path of a request has."""
    found = rule_of("", path)
    template = found.rule.path if found else ""
    return [rule.method for rule in ROUTES if rule.path == template and rule.method != WEBSOCKET]


def rows_of(method: str, template: str) -> Iterator[Rule]:
    """The rows with exactly this method and template."""
    return (rule for rule in ROUTES if (rule.method, rule.path) == (method, template))


def without_row(routes: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those of the (method, template) that have not one row."""
    return [route for route in routes if len(list(rows_of(*route))) != 1]
