"""The middleware around all routes: nothing gets to one that is not let in, and no answer goes out without care."""

import asyncio
from contextlib import nullcontext
from http import HTTPStatus

from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from riskee.logs import get_logger
from riskee.settings import GuardSettings
from serving.api.problems import ProblemError, defect, respond
from serving.api.security import audit
from serving.api.security.bodies import has_body, read_body
from serving.api.security.caller import Caller
from serving.api.security.credentials import SUBPROTOCOL
from serving.api.security.guard import DeniedError, Guard
from serving.api.security.headers import careful, limits
from serving.api.security.limiter import Allowance
from serving.api.security.scopes import WEBSOCKET, Patience, Rule, rule_of

_SEEN = frozenset(
    {
        b"host", b"origin", b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest", b"authorization",
        b"content-length", b"transfer-encoding",
    }
)  # fmt: skip
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", WEBSOCKET})
_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_NO_ROUTE = Rule("", "none", None)
_POLICY_VIOLATION = 1008

_log = get_logger(__name__)


class Outgoing:
    """What goes to the client: it gets the careful headers, and the state of its limit."""

    def __init__(self, scope: Scope, send: Send, *, page: bool) -> None:
        self._send = send
        self._page = page
        self._scheme = scope["scheme"]
        # A browser breaks the connection off unless one of the subprotocols that it offered is taken.
        self._subprotocol = SUBPROTOCOL if SUBPROTOCOL in scope.get("subprotocols", ()) else None
        self.allowance: Allowance | None = None
        self.status = 0
        # Whether the connection ends with this answer.
        self.last = False

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind in {"http.response.start", "websocket.http.response.start"}:
            self.status = message["status"]
            own = message.get("headers", ())
            message = {**message, "headers": [*own, *careful(self._scheme, own, page=self._page)]}
            if self.allowance is not None:
                message["headers"] += limits(self.allowance)
            if self.last:
                message["headers"].append((b"connection", b"close"))
        elif kind == "websocket.accept" and self._subprotocol and not message.get("subprotocol"):
            message = {**message, "subprotocol": self._subprotocol}
        await self._send(message)


class Gate:
    """Pure ASGI, for HTTP and WebSockets."""

    def __init__(self, app: ASGIApp, guard: Guard, settings: GuardSettings) -> None:
        self._app = app
        self._guard = guard
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        found = rule_of(scope.get("method", WEBSOCKET), scope["path"])
        rule = found.rule if found else None
        outgoing = Outgoing(scope, send, page=rule is not None and rule.page)
        caller: Caller | None = None
        try:
            admitted = await self._admit(scope, receive, outgoing, rule)
            if admitted is not None:
                caller, receive = admitted
                await self._let_in(scope, receive, outgoing, rule or _NO_ROUTE, caller)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is answered and logged, or raised again)
            await _fail(scope, receive, outgoing, error)
        finally:
            if caller is not None:
                self._note(scope, outgoing, rule or _NO_ROUTE, caller)

    async def _admit(
        self, scope: Scope, receive: Receive, outgoing: Outgoing, rule: Rule | None
    ) -> tuple[Caller, Receive] | None:
        """Who is let in, and what to receive from; None where that was refused, and said."""
        method = scope.get("method", WEBSOCKET)
        headers = {name: value for name, value in scope["headers"] if name in _SEEN}
        caller: Caller | None = None
        try:
            caller, outgoing.allowance = await self._guard.admit(scope, method, headers, rule)
            # A stream's client asks on: what it asks is counted when it does.
            scope.setdefault("state", {}).update(caller=caller, guard=self._guard)
            if rule is None:
                _deny_nobodys(scope, caller)
            if method != WEBSOCKET and has_body(headers):
                body = await read_body(receive, headers, self._settings)
                receive = body.receive
                outgoing.allowance = await self._guard.charge(caller, body.length) or outgoing.allowance
        except DeniedError as denied:
            outgoing.allowance = denied.allowance or outgoing.allowance
            await self._deny(scope, receive, outgoing, denied, rule)
            return None
        except ProblemError as problem:
            await self._deny(scope, receive, outgoing, DeniedError(problem, caller), rule)
            return None
        return caller, receive

    async def _let_in(self, scope: Scope, receive: Receive, outgoing: Outgoing, rule: Rule, caller: Caller) -> None:
        seconds = self._seconds(rule, caller)
        try:
            async with asyncio.timeout(seconds) as timeout:
                endless = rule.patience is Patience.ENDLESS and caller.kind != "open"
                whole = self._guard.deadlines.held(f"{caller.kind}:{caller.id}", timeout) if endless else nullcontext()
                with whole:
                    await self._app(scope, receive, outgoing.send)
        except TimeoutError:
            if not timeout.expired():
                raise
            await _break_off(scope, receive, outgoing, rule, seconds)

    def _seconds(self, rule: Rule, caller: Caller) -> float | None:
        """How long this may take: what goes on ends with the credential."""
        seconds = self._guard.deadlines.seconds(rule.patience)
        if seconds is None and caller.expires_at is not None:
            return max(caller.expires_at - self._guard.clock.now().timestamp(), 0.0)
        return seconds

    async def _deny(
        self, scope: Scope, receive: Receive, outgoing: Outgoing, denied: DeniedError, rule: Rule | None
    ) -> None:
        problem = denied.problem
        # Nobody reads the body of a request that was denied.
        outgoing.last = scope["type"] == "http" and has_body(dict(scope["headers"]))
        self._guard.refusals.note(scope, denied.caller, (rule or _NO_ROUTE).path, problem)
        await respond(problem, scope["path"])(scope, receive, outgoing.send)

    def _note(self, scope: Scope, outgoing: Outgoing, rule: Rule, caller: Caller) -> None:
        """Who was let in, and what became of it: where a route refused it, or it could change something."""
        if outgoing.status in _REFUSED:
            problem = ProblemError(HTTPStatus(outgoing.status), "route", "the route refused it", "")
            self._guard.refusals.note(scope, caller, rule.path, problem)
        elif scope.get("method", WEBSOCKET) not in _SAFE:
            audit.note(scope, caller, rule.path, outgoing.status)


def _deny_nobodys(scope: Scope, caller: Caller) -> None:
    """Default deny: a route without a row is for nobody. What is no route is the router's to refuse."""
    if any(route.matches(scope)[0] is not Match.NONE for route in scope["app"].routes):
        problem = ProblemError(
            HTTPStatus.FORBIDDEN, "forbidden", "this route has no scope yet", "a row of serving/api/security/scopes.py"
        )
        raise DeniedError(problem, caller)


async def _fail(scope: Scope, receive: Receive, outgoing: Outgoing, error: Exception) -> None:
    """Answer a request that met a defect as any other; where it is too late for that, the server ends the connection
    and logs why."""
    if scope["type"] == "websocket" or outgoing.status:
        raise error
    _log.error("a defect", path=scope["path"], exc_info=error)
    await respond(defect(), scope["path"])(scope, receive, outgoing.send)


async def _break_off(scope: Scope, receive: Receive, outgoing: Outgoing, rule: Rule, seconds: float | None) -> None:
    """The time is over."""
    if scope["type"] == "websocket":
        reason = "the credential has ended"
        await outgoing.send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": reason})
    elif not outgoing.status:
        problem = ProblemError(
            HTTPStatus.GATEWAY_TIMEOUT, "timeout", f"no answer within {seconds:g} s", "see /health/ready, and try again"
        )
        await respond(problem, scope["path"])(scope, receive, outgoing.send)
    elif rule.patience is Patience.ENDLESS:
        await outgoing.send({"type": "http.response.body", "body": b"", "more_body": False})
