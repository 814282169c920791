"""The measurement of documents: that it measures, and leaves nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine

from infra.embedded.stack import Stack
from riskee.clock import FixedClock
from riskee.documents.bench import SEARCHES, DocumentsBench
from riskee.embedding.word_pieces import WordPieces
from riskee.settings import VectorSettings
from riskee.storage.vectors import Vectors
from tests.conftest import REPOSITORY
from tests.integration.dagster_daemon import wait_for
from tests.integration.made_texts import HashEmbedder
from tests.integration.stored_documents import NOW, in_step

pytestmark = pytest.mark.integration
SECONDS = 60


def test_the_measurement_measures_all_of_it(
    engine: Engine, vectors: Vectors, pieces: WordPieces, tmp_path: Path
) -> None:
    told: list[str] = []
    measured = DocumentsBench(
        engine, VectorSettings(url=vectors._url), HashEmbedder(), pieces, tmp_path, FixedClock(NOW), told.append
    ).run(650, {})
    assert sum(measured.documents.values()) == 650
    assert {phase.name for phase in measured.phases if phase.documents == 650} >= {"index", "index again"}
    assert {len(found) for found in measured.milliseconds.values()} == {SEARCHES}
    assert in_step(engine, vectors)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the command makes its home; PostgreSQL, which may run as another user, must get through."""
    folder = Path(tempfile.mkdtemp(prefix="riskee-test-"))
    folder.chmod(0o711)
    # Ports are reserved in common with the servers of the other tests.
    ports = Path(tempfile.gettempdir()) / f"riskee-ports-{os.getuid()}"
    ports.mkdir(mode=0o700, exist_ok=True)
    (folder / ports.name).symlink_to(ports)
    yield folder
    for home in folder.glob("riskee-bench-*"):
        Stack(home, REPOSITORY).stop()
    shutil.rmtree(folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_servers_end_with_the_command_however_it_is_ended(number: signal.Signals, folder: Path) -> None:
    # What starts the tests may ignore a signal, and its children then would.
    with subprocess.Popen(
        ["env", "--default-signal=INT,TERM", sys.executable, "-m", "riskee", "bench", "documents", "--no-model"],
        cwd=REPOSITORY,
        env=os.environ | {"TMPDIR": str(folder), "RISKEE_HOME": str(REPOSITORY / ".riskee")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stderr
        before = list(takewhile(lambda line: "calls.jsonl.gz" not in line, command.stderr))
        assert command.poll() is None, before
        assert processes_of(folder)
        command.send_signal(number)
        command.send_signal(number)  # by somebody impatient
        said = command.stderr.read()
    assert command.returncode == 128 + number, said
    # The last to go, which watched over the others, may need a moment more than they.
    wait_for(lambda: processes_of(folder) == [], SECONDS)
    assert list(folder.glob("riskee-bench-*")) == []


def processes_of(folder: Path) -> list[list[str]]:
    """The command lines that name the folder."""
    lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if any(str(folder) in word for word in line)]
