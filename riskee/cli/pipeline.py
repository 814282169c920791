"""Materialising the Dagster assets in a process of its own, with progress."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from riskee.cli.runtime import REPO_ROOT
from riskee.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from riskee.cli.board import Task

LOG = "bootstrap"
# Beside the data that it speaks of: whoever deletes the data deletes it too.
MARKER = ("data", "pipeline.done")
_COMMAND = ("-m", "riskee_dagster.bootstrap")


def was_materialised(home: Path) -> bool:
    """Whether a run through all assets ended well in this home."""
    return home.joinpath(*MARKER).exists()


def materialise(home: Path, log: Path, task: Task, arguments: Sequence[str] = ()) -> None:
    """Materialise every asset. Raises FatalError naming the asset that failed, its cause and the log."""
    home.joinpath(*MARKER).unlink(missing_ok=True)
    environment = os.environ | {"RISKEE_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
    failures: list[str] = []
    with (
        log.open("ab") as errors,
        subprocess.Popen(  # noqa: S603 (our own module)
            [sys.executable, *_COMMAND, *arguments],
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
    home.joinpath(*MARKER).touch()


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
