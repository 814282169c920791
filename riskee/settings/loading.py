"""Reading the settings of a process."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from riskee.errors import FatalError
from riskee.settings.files import SUFFIX, read_secrets, secrets_of
from riskee.settings.service_links import is_service_link
from riskee.settings.tree import ENV_PREFIX, Settings

# Read by the test suite only, never by the product.
TEST_PREFIX = "RISKEE_TEST_"
ENDPOINTS_FILE = Path("run") / "endpoints.json"


def _known_variables(model: type[BaseModel], prefix: str) -> set[str]:
    known: set[str] = set()
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        known.add(variable)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            known |= _known_variables(field.annotation, f"{variable}__")
    return known


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = _known_variables(Settings, ENV_PREFIX)
    known |= {secret.variable + SUFFIX for secret in secrets_of(Settings, ENV_PREFIX)}
    # A pod may be told of the Services beside it, whether it asks for that or not.
    told = environ.get(f"{ENV_PREFIX}PROFILE") == "kubernetes"
    unknown = sorted(
        name
        for name, value in environ.items()
        if name.startswith(ENV_PREFIX)
        and not name.startswith(TEST_PREFIX)
        and name.upper() not in known
        and not (told and is_service_link(name, value))
    )
    if unknown:
        raise FatalError(
            f"unknown setting {', '.join(unknown)}", "`riskee settings` lists all settings; unset it or mend its name"
        )


def _embedded_endpoints(home: Path) -> dict[str, Any]:
    file = home / ENDPOINTS_FILE
    if not file.exists():
        return {}
    try:
        endpoints = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise FatalError(f"{file} cannot be read: {error}", "`riskee down` and `riskee up` write it anew") from error
    return dict(endpoints)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Two trees as one; where both have a value, that of `above`."""
    both = {key: _merged(below[key], above[key]) for key in below.keys() & above if isinstance(above[key], dict)}
    return below | above | both


def load_settings() -> Settings:
    """Read the settings of this process.

    Raises FatalError for an unknown variable or a value that does not fit, naming it, and for a file of a secret that
    cannot be read.
    """
    _refuse_unknown(os.environ)
    home = Path(os.environ.get(f"{ENV_PREFIX}HOME", ".riskee")).absolute()
    embedded = os.environ.get(f"{ENV_PREFIX}PROFILE", "embedded") == "embedded"
    endpoints = _embedded_endpoints(home) if embedded else {}
    secrets = read_secrets(os.environ, Settings, ENV_PREFIX)
    try:
        settings = Settings(**_merged(endpoints, secrets))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise FatalError(
            f"settings do not fit: {problems}", "`riskee settings` lists them with their meaning"
        ) from error
    return settings.model_copy(update={"home": home})
