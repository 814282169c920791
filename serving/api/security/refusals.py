"""Who was refused, in the audit log: the first of equal refusals at once, the others of that minute as a number.

Nobody has to prove anything to be refused: with a line for each, one host could push all others out of the log.
"""

import asyncio
from dataclasses import dataclass, field

from starlette.types import Scope

from riskee.logs import get_logger
from riskee.telemetry import HTTP_DENIED
from serving.api.problems import ProblemError
from serving.api.security.address import address_of
from serving.api.security.audit import LOGGER, line_of
from serving.api.security.caller import Caller

_SECONDS = 60.0
# Refusals of a minute that have a line of their own: many addresses could fill the log, and memory, too.
_MOST = 200
_log = get_logger(LOGGER)


@dataclass(slots=True)
class _Told:
    line: dict[str, str | int]
    repeated: int = 0


@dataclass
class Refusals:
    """Counts refusals, and writes their lines."""

    _told: dict[tuple[str, ...], _Told] = field(default_factory=dict)
    _others: int = 0

    def note(self, scope: Scope, caller: Caller | None, route: str, problem: ProblemError) -> None:
        """Equal are those of a kind and an address; of who is known, also those of a caller and a route."""
        HTTP_DENIED.labels(problem.kind).inc()
        equal: tuple[str, ...] = (problem.kind, address_of(scope))
        if caller is not None and caller.id:
            equal = (*equal, caller.kind, caller.id, route)
        told = self._told.get(equal)
        if told is not None:
            told.repeated += 1
        elif len(self._told) < _MOST:
            line = line_of(scope, caller, route, problem.status)
            line |= {"outcome": "denied", "reason": problem.cause}
            self._told[equal] = _Told(line)
            _log.warning("audit", **line)
        else:
            self._others += 1

    def sum_up(self) -> None:
        """Write how often each refusal was repeated, and begin a new minute."""
        for told in self._told.values():
            if told.repeated:
                _log.warning("audit", **told.line, repeated=told.repeated)
        if self._others:
            _log.warning("audit", outcome="denied", reason="more than have a line each", repeated=self._others)
        self._told.clear()
        self._others = 0

    async def keep(self) -> None:
        """Sum up each minute, and at the end."""
        try:
            while True:
                await asyncio.sleep(_SECONDS)
                self.sum_up()
        finally:
            self.sum_up()
