"""docker-compose.yml as the tests read it."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import yaml

from tests.conftest import REPOSITORY

FILE = REPOSITORY / "docker-compose.yml"
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
SERVING, DAGSTER = "riskee/serving:", "riskee/dagster:"


@cache
def compose() -> dict[str, Any]:
    """The file with its anchors merged, and with its variables as they are written."""
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return loaded


def services(image: str = "") -> dict[str, dict[str, Any]]:
    """The services by name; with `image` those whose image begins so."""
    return {name: each for name, each in compose()["services"].items() if each["image"].startswith(image)}


def variables() -> dict[str, str | None]:
    """The variables that `.env` may set, with their defaults."""
    return dict(_found(FILE.read_text()))


def _found(text: str) -> Iterator[tuple[str, str | None]]:
    for match in _VARIABLE.finditer(text):
        yield match[1], match[2]


def filled(text: str) -> str:
    """A text with the defaults of its variables; two dollars stand for one."""
    return _VARIABLE.sub(lambda match: match[2] or "", text).replace("$$", "$")


def environment(service: str, replaced: Mapping[str, str]) -> dict[str, str]:
    """What a service is told, with the defaults of variables; `replaced` says which texts stand for others."""
    told = {}
    for name, value in compose()["services"][service]["environment"].items():
        text = filled(str(value))
        for old, new in replaced.items():
            text = text.replace(old, new)
        told[name] = text
    return told
