"""What the lean image has not: processes started with this environment cannot import it."""

import json
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.utils import canonicalize_name

from infra.deployment.locks import locked_packages, path_of

# The project's own folders that the lean image has (infra/docker/serving.Dockerfile).
_OWN = {"riskee", "serving", "infra"}
_FOLDER = Path(__file__).parent / "lean_image"


@cache
def refused() -> tuple[str, ...]:
    """Packages that can be imported here, and not in the lean image."""
    locked = set(locked_packages(path_of("serving")))
    others = {
        name
        for name, distributions in packages_distributions().items()
        if name not in _OWN and locked.isdisjoint(map(canonicalize_name, distributions))
    }
    return tuple(sorted(others | {"riskee_dagster", "dbt_like_sql", "tests"}))


def lean_environment() -> dict[str, str]:
    """The variables by which a Python process refuses these imports."""
    return {"PYTHONPATH": str(_FOLDER), "RISKEE_TEST_REFUSED": json.dumps(refused())}
