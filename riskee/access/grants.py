"""What a key or a token may allow. Called scopes where people see them, as OAuth does."""

from collections.abc import Iterable
from enum import StrEnum

from riskee.errors import PoisonError


class Grant(StrEnum):
    """One thing that a caller may do."""

    PREDICTIONS_READ = "predictions:read"
    PREDICTIONS_COMPUTE = "predictions:compute"
    EXPLANATIONS_READ = "explanations:read"
    EXPLANATIONS_CREATE = "explanations:create"
    MODELS_READ = "models:read"
    STREAM_READ = "stream:read"
    METRICS_READ = "metrics:read"


ALL_GRANTS = frozenset(Grant)
_BY_NAME = {grant.value: grant for grant in Grant}


def known_grants(names: Iterable[str]) -> frozenset[Grant]:
    """Those of the names that are grants: a token of another service may carry more."""
    return frozenset(_BY_NAME[name] for name in names if name in _BY_NAME)


def parse_grants(text: str) -> frozenset[Grant]:
    """`predictions:read,stream:read`, or `all`. Raises PoisonError for a name that is no grant."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["all"]:
        return ALL_GRANTS
    unknown = [name for name in names if name not in _BY_NAME]
    if unknown or not names:
        raise PoisonError(f"{', '.join(unknown) or 'nothing'} is no scope", f"scopes: all, {', '.join(Grant)}")
    return known_grants(names)
