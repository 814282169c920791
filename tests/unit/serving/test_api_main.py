"""The API's process, without its server."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY

_PROGRAM = """
import gc, socket, uvicorn
socket.create_server = lambda *_, **__: None
from serving.api.__main__ import main
uvicorn.Server.run = lambda self, sockets: print("objects", gc.get_freeze_count(), len(gc.get_objects()))
main()
"""


def test_the_collector_does_not_look_at_what_the_imports_made(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _PROGRAM]
    said = subprocess.check_output(
        command, cwd=REPOSITORY, env={**os.environ, "RISKEE_HOME": str(tmp_path)}, text=True, timeout=60
    )
    frozen, seen = map(int, said.splitlines()[-1].split()[1:])
    assert seen < frozen / 100
