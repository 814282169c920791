"""What services tell their steps to."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from riskee.tracing.hops import Hop
from riskee.tracing.span import Span


class Tick(Protocol):
    """What has a quote's identity: the quote, and the prediction that is made of it."""

    @property
    def quote_id(self) -> UUID:
        """The id of the quote, and of its trace."""

    @property
    def ticker(self) -> str:
        """Of which ticker."""


TickT = TypeVar("TickT", bound=Tick)


class Tracer(Protocol):
    """Makes spans of what it is told, for those traces that are sampled."""

    def samples(self, trace: UUID) -> bool:
        """Whether this trace is made."""

    def hop(
        self, hop: Hop, ticks: Iterable[TickT], since: Callable[[TickT], datetime] | None = None
    ) -> AbstractContextManager[None]:
        """A step that these ticks take together, as long as the context lasts; each sampled one gets its own span.
        `since` says when it began for a tick that came before the context."""

    def put(self, span: Span) -> None:
        """A finished step."""

    async def close(self) -> None:
        """Send what waits, for a second at most."""


class NoTracer:
    """Where traces are off: knows nothing, costs nothing."""

    def __init__(self) -> None:
        self._nothing = nullcontext()

    def samples(self, trace: UUID) -> bool:  # noqa: ARG002 (the signature is the protocol's, here and below)
        """No."""
        return False

    def hop(
        self,
        hop: Hop,  # noqa: ARG002
        ticks: Iterable[TickT],  # noqa: ARG002
        since: Callable[[TickT], datetime] | None = None,  # noqa: ARG002
    ) -> AbstractContextManager[None]:
        """Does not even look at the ticks."""
        return self._nothing

    def put(self, span: Span) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Nothing."""


OFF = NoTracer()
