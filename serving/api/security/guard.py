"""Who is let in: the judgement on one request, from its headers alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NamedTuple, Self

from starlette.types import Scope

from riskee.access.api_keys import parse_key
from riskee.access.exposure import is_open
from riskee.clock import Clock
from riskee.errors import RetryableError
from riskee.settings import Settings
from riskee.storage.api_keys import note_used, read_keys
from riskee.storage.cache import Cache
from serving.api.background import Background
from serving.api.problems import ProblemError, problem_of
from serving.api.security.address import address_of
from serving.api.security.caller import NOBODY, OPEN, Caller, forbidden
from serving.api.security.credentials import bearer, take_protocol_token
from serving.api.security.deadlines import Deadlines
from serving.api.security.keyring import Keyring
from serving.api.security.limiter import Allowance, Kind, Limiter
from serving.api.security.origin import Origins
from serving.api.security.refusals import Refusals
from serving.api.security.scopes import WEBSOCKET, Rule
from serving.api.security.tokens import BadTokenError, Tokens
from serving.database import Database

# Of a body; 5,000 tickers are some 40 of them.
_BYTES_A_REQUEST = 1024


class Admission(NamedTuple):
    """Who was let in, and what is left of the limit that counts for them; None: there is none."""

    caller: Caller
    allowance: Allowance | None


class DeniedError(Exception):
    """A refusal: the problem to answer with, who it was where that is known, and what is left where that is why."""

    def __init__(self, problem: ProblemError, caller: Caller | None = None, allowance: Allowance | None = None) -> None:
        super().__init__(problem.cause)
        self.problem = problem
        self.caller = caller
        self.allowance = allowance


@dataclass
class Guard:
    """Judges requests. It is on duty, with keys and limits, while the API runs."""

    open: bool
    origins: Origins
    tokens: Tokens
    keyring: Keyring
    limiter: Limiter
    deadlines: Deadlines
    clock: Clock
    refusals: Refusals = field(default_factory=Refusals)

    @classmethod
    def of(cls, settings: Settings, clock: Clock) -> Self:
        """The guard that the settings ask for. Raises FatalError for keys of tokens that are none."""
        api = settings.api
        pepper, former = api.guard.key_pepper, api.guard.key_pepper_previous
        deadlines = Deadlines(api)
        return cls(
            open=is_open(settings),
            origins=Origins(api),
            tokens=Tokens(api.jwt, lambda: clock.now().timestamp()),
            keyring=Keyring(
                clock,
                "" if pepper is None else pepper.get_secret_value(),
                on_ended=lambda key_id: deadlines.end(f"key:{key_id}"),
                former_pepper=None if former is None else former.get_secret_value(),
            ),
            limiter=Limiter(api.limits),
            deadlines=deadlines,
            clock=clock,
        )

    def on_duty(self, database: Database, cache: Cache, background: Background) -> None:
        """Read the keys again and again, and count in the cache."""
        self.keyring.read = lambda: database.run(read_keys)
        self.keyring.note = lambda used: database.run(lambda connection: note_used(connection, used))
        self.limiter.evaluate = cache.evaluate
        background.start("keys", self.keyring.keep())
        background.start("refusals", self.refusals.keep())

    async def admit(self, scope: Scope, method: str, headers: Mapping[bytes, bytes], rule: Rule | None) -> Admission:
        """Who is let in. Raises DeniedError.

        A request without a rule is let in here too, for whoever proved who they are: it has no route, or is nobody's.
        """
        token = bearer(headers.get(b"authorization"))
        if method == WEBSOCKET:
            offered = take_protocol_token(scope)
            token = offered if token is None else token
        public = rule is not None and rule.grant is None
        unlimited = self.open and (token is None or public)
        # Before anything is looked at: what is refused counts as well.
        allowance = None if unlimited else await self._limited("address", address_of(scope), None)
        page, probed = (False, False) if rule is None else (rule.page, rule.probed)
        # Where nobody needs a key, a page with a name of its own for this machine could read what is probed.
        refusal = self.origins.refusal(method, headers, page=page, any_name=probed and not self.open)
        if refusal is not None:
            raise DeniedError(refusal)
        if unlimited:
            return Admission(OPEN, None)
        if public:
            return Admission(NOBODY, allowance)
        caller = await self._prove(token)
        allowance = await self._limited("key", f"{caller.kind}:{caller.id}", caller)
        if rule is not None and rule.grant is not None and rule.grant not in caller.scopes:
            raise DeniedError(forbidden(rule.grant), caller)
        return Admission(caller, allowance)

    async def charge(self, caller: Caller, length: int) -> Allowance | None:
        """Count a long body as several requests: a batch of 5,000 tickers is as much work as some hundred of one.

        What is left then, None where nothing is counted. Raises DeniedError.
        """
        return await self.count(caller, length // _BYTES_A_REQUEST)

    async def count(self, caller: Caller, requests: int) -> Allowance | None:
        """Count so many requests besides the one that was let in: all or none. As `charge`.

        Never more than may be left after that one, for nobody could wait until they may ask for those.
        """
        several = min(requests, self.limiter.most("key") - 1)
        if caller.kind == "open" or several < 1:
            return None
        return await self._limited("key", f"{caller.kind}:{caller.id}", caller, several)

    async def _prove(self, token: str | None) -> Caller:
        if token is None:
            raise DeniedError(_unauthorized("no credential was sent"))
        key = parse_key(token)
        try:
            if key is not None:
                caller = await self.keyring.caller(key)
                if caller is None:
                    raise DeniedError(_unauthorized("the key is wrong, revoked or expired"))
                return caller
            if not self.tokens.accepted:
                raise DeniedError(_unauthorized("the credential is no API key"))
            return self.tokens.caller(token)
        except BadTokenError as error:
            raise DeniedError(_unauthorized(str(error))) from error
        except RetryableError as error:
            raise DeniedError(problem_of(error)) from error

    async def _limited(self, kind: Kind, who: str, caller: Caller | None, count: int = 1) -> Allowance:
        allowance = await self.limiter.take(kind, who, count)
        if not allowance.allowed:
            raise DeniedError(_too_many(kind, allowance), caller, allowance)
        return allowance


def _unauthorized(cause: str) -> ProblemError:
    return ProblemError(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        cause,
        "send `Authorization: Bearer <key>`; `riskee keys create` makes a key",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _too_many(kind: Kind, allowance: Allowance) -> ProblemError:
    whose = "this key" if kind == "key" else "this address"
    return ProblemError(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too_many_requests",
        f"{whose} may ask {allowance.limit} times a minute",
        f"ask again in {allowance.retry_seconds} s; the limits are RISKEE_API__LIMITS__*",
        headers={"Retry-After": str(allowance.retry_seconds)},
    )
