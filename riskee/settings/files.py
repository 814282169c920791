"""Secrets from files: `RISKEE_X_FILE=/run/secrets/x` stands for `RISKEE_X`, for every setting that is secret.

So the official images do it. Whoever writes the file (Docker's or Kubernetes' secrets, an agent of Vault, a person) is
not our concern; it is read once, when the process starts.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, SecretStr

from riskee.errors import FatalError

SUFFIX = "_FILE"
_LONGEST_BYTES = 64 * 1024


class Secret(NamedTuple):
    """A secret setting: its variable, its place in the tree, and whether it is a text or JSON."""

    variable: str
    path: tuple[str, ...]
    is_text: bool


def secrets_of(model: type[BaseModel], prefix: str, path: tuple[str, ...] = ()) -> Iterator[Secret]:
    """All settings of the tree that are secret."""
    for name, field in model.model_fields.items():
        variable, place = f"{prefix}{name.upper()}", (*path, name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from secrets_of(field.annotation, f"{variable}__", place)
        elif SecretStr.__name__ in str(field.annotation):
            yield Secret(variable, place, "dict" not in str(field.annotation))


def read_secrets(environ: Mapping[str, str], model: type[BaseModel], prefix: str) -> dict[str, Any]:
    """What the files say that variables name, as a tree.

    Raises FatalError where a file cannot be read or is empty, and where the value is given twice.
    """
    tree: dict[str, Any] = {}
    for secret in secrets_of(model, prefix):
        file = environ.get(secret.variable + SUFFIX)
        if file is None:
            continue
        if secret.variable in environ:
            raise FatalError(f"{secret.variable} is given, and {secret.variable}{SUFFIX} too", "unset one of them")
        text = _read(secret.variable + SUFFIX, Path(file))
        branch = tree
        for name in secret.path[:-1]:
            branch = branch.setdefault(name, {})
        branch[secret.path[-1]] = text if secret.is_text else _parse(secret.variable + SUFFIX, text)
    return tree


def _read(variable: str, file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(_LONGEST_BYTES + 1)
        text = content.decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "it is no text"
        raise FatalError(f"the file {file} of {variable} cannot be read: {cause}", "mend its path or mode") from None
    if not text or len(content) > _LONGEST_BYTES:
        raise FatalError(f"the file {file} of {variable} is empty or too long", "write the secret into it") from None
    return text


def _parse(variable: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        # The parser's own message may quote the secret.
        raise FatalError(f"the file of {variable} holds no JSON", "`riskee settings` says what it should be") from None
