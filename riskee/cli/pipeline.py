"""Materialising the Dagster assets in a process of its own, with progress."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from enum import StrEnum
from typing import TYPE_CHECKING

from riskee.cli.runtime import REPO_ROOT
from riskee.errors import FatalError

if TYPE_CHECKING:
    from pathlib import Path

    from riskee.cli.board import Task
    from riskee.settings import Settings

LOG = "bootstrap"
# Beside the data that it speaks of: whoever deletes the data deletes it too.
MARKER = ("data", "pipeline.done")
_PACKAGES = ("riskee_dagster", "dbt_like_sql")


class State(StrEnum):
    """What a home's assets need."""

    COMPLETE = "complete"
    # All were made once, by another version of their definitions: it may have added some.
    OTHER_VERSION = "other version"
    # The models were trained up to another beginning of the replay.
    OTHER_REPLAY = "other replay"
    INCOMPLETE = "incomplete"


def state(settings: Settings) -> State:
    """Whether a run through all assets ended well, and left models to predict with."""
    marker = settings.home.joinpath(*MARKER)
    if not marker.exists() or missing_champions(settings):
        return State.INCOMPLETE
    digest, _, sessions = marker.read_text().partition(" ")
    if sessions != str(settings.feed.held_out_sessions):
        return State.OTHER_REPLAY
    return State.COMPLETE if digest == _assets_digest() else State.OTHER_VERSION


def missing_champions(settings: Settings) -> list[str]:
    """The model types without a model that predicts from today's features. Raises RetryableError without database."""
    from sqlalchemy import select

    from riskee.cli.runtime import with_database
    from riskee.features.definitions import feature_set_hash
    from riskee.messaging.messages import MODEL_TYPES
    from riskee.storage.tables import model_metadata

    columns = (model_metadata.c.model_type, model_metadata.c.feature_set)
    statement = select(*columns).where(model_metadata.c.alias == "champion")
    found = with_database(settings, lambda connection: {tuple(row) for row in connection.execute(statement)})
    return [kind for kind in MODEL_TYPES if (kind, feature_set_hash(kind)) not in found]


def materialise(settings: Settings, log: Path, task: Task, *, only_if_needed: bool = False) -> None:
    """Materialise every asset, or do nothing where `only_if_needed` and none is missing.

    Raises FatalError naming the asset that failed, its cause and the log.
    """
    home = settings.home
    marker = home.joinpath(*MARKER)
    marker.unlink(missing_ok=True)
    environment = os.environ | {"RISKEE_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
    failures: list[str] = []
    with (
        log.open("ab") as errors,
        subprocess.Popen(  # noqa: S603 (our own module)
            [sys.executable, "-m", "riskee_dagster.bootstrap", *(["--if-needed"] if only_if_needed else [])],
            cwd=REPO_ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True,
        ) as process,
    ):  # fmt: skip
        try:
            for line in process.stdout or ():
                failures += _take(line, task)
            code = process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
    if code:
        cause = "; ".join(failures) or f"the pipeline ended with exit code {code}"
        raise FatalError(f"{cause}\nthe whole log is {log}", "mend the cause and run `riskee up` again")
    marker.write_text(f"{_assets_digest()} {settings.feed.held_out_sessions}")


def _assets_digest() -> str:
    """Changes with the definitions of the assets."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for file in sorted((REPO_ROOT / package).rglob("*")):
            if file.suffix in {".py", ".sql"}:
                digest.update(file.read_bytes())
    return digest.hexdigest()


def _take(line: str, task: Task) -> list[str]:
    """Show one line of progress. Answers what it says of a failure."""
    try:
        event = json.loads(line)
        asset, state, detail = str(event["asset"]), event["state"], str(event.get("detail") or "")
        done, total = int(event["done"]), int(event["total"])
    except (ValueError, KeyError, TypeError):
        return []  # not one of ours: a library has printed something
    task.advance(done, total)
    task.tell(f"{asset}: {detail}" if detail else asset)
    return [f"{asset}: {detail}"] if state == "failed" else []
