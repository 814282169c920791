"""Which traces are made: decided by the trace's id alone, so that all services decide alike without asking."""

from collections.abc import Callable
from uuid import UUID

# The bits that W3C's Trace Context (level 2) takes for random. Those of a UUID's version and variant are not among
# them.
_RANDOM_BITS = 56
_RANDOM = (1 << _RANDOM_BITS) - 1


def sampler(ratio: float) -> Callable[[UUID], bool]:
    """Whether to make the trace of an id, for a share of them (0 to 1): OpenTelemetry's consistent sampling, where a
    trace is made when its randomness reaches a threshold."""
    threshold = round((1 - ratio) * (1 << _RANDOM_BITS))

    def samples(trace: UUID) -> bool:
        return trace.int & _RANDOM >= threshold

    return samples
