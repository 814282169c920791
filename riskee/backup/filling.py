"""Filling an empty database from its dump, in one transaction.

pg_restore writes a script, which psql runs: by itself it asks every server for what those before PostgreSQL 17 do not
know, and gives up. Nothing is written to a disk on the way. All is made by the role that is connected, for nobody else
may write TimescaleDB's catalogue, and given to the owner of the database at the end.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from riskee.backup.postgres import PostgresServer, failed
from riskee.backup.timescale import restoring

_OWNERSHIP = Path(__file__).with_name("ownership.sql")
# What a script begins with is shorter; a row of a table is never so near to its beginning.
_HEAD = 1024
_TIMEOUT, _KNOWN_SINCE = b"SET transaction_timeout = 0;\n", 170000
_BLOCK = 1 << 20
_FILLING = "the role needs to be the database's owner, with TimescaleDB the superuser (RISKEE_DATABASE__URL)"


def fill(server: PostgresServer, database: str, dump: Iterable[bytes]) -> None:
    """Fill an empty database from the blocks of a dump, wholly or not at all; then give all of it to its owner.

    Raises FatalError, RetryableError, and what the blocks raise. A database that is filled and not given away yet, for
    the server went away in between, is to be dropped.
    """
    with restoring(server, database):
        _play(server, database, dump)
    with server.connect(database) as connection:
        connection.execute(_OWNERSHIP.read_bytes())


def _play(server: PostgresServer, database: str, dump: Iterable[bytes]) -> None:
    """Let psql run what pg_restore writes. What comes without the end, which commits, is rolled back."""
    reads, _ = server.invocation("pg_restore", ["--single-transaction", "--no-owner", "--no-privileges", "-f", "-"])
    options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", server.bare_address(database), "-f", "-"]
    runs, environment = server.invocation("psql", options)
    unknown = _TIMEOUT if _version(server, database) < _KNOWN_SINCE else b""
    with tempfile.TemporaryFile() as of_reader, tempfile.TemporaryFile() as of_runner:
        with (
            subprocess.Popen(  # noqa: S603 (PostgreSQL's own tools)
                reads, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=of_reader
            ) as reader,
            subprocess.Popen(  # noqa: S603
                runs, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=of_runner
            ) as runner,
        ):
            all_passed = _pass_on(dump, reader, runner, unknown)
        ends = [("pg_restore", reader.returncode, of_reader), ("psql", runner.returncode, of_runner)]
        # The one that ended first says why; the other only misses it.
        for tool, code, complaints in ends if all_passed else reversed(ends):
            if code != 0:
                complaints.seek(0)
                raise failed(tool, complaints.read().decode(errors="replace"), _FILLING)


def _pass_on(
    dump: Iterable[bytes], reader: subprocess.Popen[bytes], runner: subprocess.Popen[bytes], unknown: bytes
) -> bool:
    """Give one the dump and, in a thread, the other what the first writes. Returns whether the other took all of it.

    Where that fails, neither goes on.
    """
    assert reader.stdin is not None  # noqa: S101 (these are pipes)
    assert reader.stdout is not None  # noqa: S101
    assert runner.stdin is not None  # noqa: S101
    with ThreadPoolExecutor(1) as pool:
        try:
            copying = pool.submit(_copy, reader.stdout, runner.stdin, unknown)
            with _given(reader.stdin):
                for block in dump:
                    reader.stdin.write(block)
            return copying.result()
        except BaseException:
            runner.kill()
            reader.kill()
            raise


def _copy(script: IO[bytes], taker: IO[bytes], unknown: bytes) -> bool:
    with script, _given(taker):
        head = script.read(_HEAD)
        taker.write(head.replace(unknown, b"", 1) if unknown else head)
        shutil.copyfileobj(script, taker, _BLOCK)
        return True
    return False


@contextmanager
def _given(taker: IO[bytes]) -> Iterator[None]:
    """A process takes nothing more once it has ended; why it did it says itself."""
    with suppress(BrokenPipeError):
        try:
            yield
        finally:
            taker.close()


def _version(server: PostgresServer, database: str) -> int:
    with server.connect(database) as connection:
        return connection.info.server_version
