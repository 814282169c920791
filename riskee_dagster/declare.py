"""What all assets declare alike."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import dagster as dg

from riskee.errors import RetryableError, RiskeeError
from riskee.provenance import source_digest

OWNERS = ["team:quant"]
# Servers restart within seconds. What can never succeed is not tried again: see `product_errors`.
RETRY = dg.RetryPolicy(max_retries=2, delay=1, backoff=dg.Backoff.EXPONENTIAL)
# The tag of a run that evidence asked for, with that evidence in words.
WHY_TAG = "riskee/why"

P = ParamSpec("P")
T = TypeVar("T")

# By group: what is made with the same scarce thing is made by one run at a time.
POOLS = {
    "ingestion": "vendor",
    "staging": "database_heavy",
    "features": "database_heavy",
    "marts": "database_heavy",
    "embeddings": "embedding",
    "models": "training",
    "documents": "database_heavy",
    "outcomes": "database_heavy",
    "monitoring": "database_heavy",
}


@contextmanager
def pinned_beta() -> Iterator[None]:
    """Use what Dagster calls beta (backfill and freshness policies): its version is locked, and tests run them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        yield


def product_errors(function: Callable[P, T]) -> Callable[P, T]:
    """Let Dagster repeat what may succeed later, and not what the product knows can not."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except RetryableError:
            raise
        except RiskeeError as error:
            raise dg.Failure(str(error), allow_retries=False) from error

    return wrapped


def table_check(
    asset: dg.AssetKey | str, *, blocking: bool = False
) -> Callable[[Callable[..., dg.AssetCheckResult]], dg.AssetChecksDefinition]:
    """A check of its own step that asks a server: like an asset it is repeated where that may help."""

    def decorate(function: Callable[..., dg.AssetCheckResult]) -> dg.AssetChecksDefinition:
        return dg.asset_check(asset=asset, blocking=blocking, retry_policy=RETRY)(product_errors(function))

    return decorate


code_version = source_digest
"""Changes with the source of modules or with texts, so that Dagster marks what is out of date."""


def table_asset(
    key: dg.AssetKey | str,
    *,
    group: str,
    kinds: set[str],
    code: Iterable[str],
    deps: Iterable[dg.AssetKey | str] = (),
    description: str | None = None,
    pool: str | None = None,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """An asset that lives in one of the servers: it is written there, and nothing passes through Dagster.

    `code` names the modules whose source decides the content; without a description it is the function's docstring;
    of a `pool` one is made at a time.
    """

    def decorate(function: Callable[..., Any]) -> dg.AssetsDefinition:
        return dg.asset(
            key=key,
            group_name=group,
            kinds=kinds,
            deps=list(deps),
            owners=OWNERS,
            retry_policy=RETRY,
            code_version=code_version(code),
            description=description or function.__doc__,
            pool=pool or POOLS.get(group),
        )(product_errors(function))

    return decorate
