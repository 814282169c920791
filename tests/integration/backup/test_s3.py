"""Backups in a bucket, with the client that the images have, on a server of this machine that speaks S3's protocol.

moto is no store, and believes everybody: what a bucket's policy refuses is not tried here.
"""

import base64
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import fsspec
import httpx
import pytest

from riskee.backup.newest import completed_at
from riskee.backup.repository import Repository
from riskee.backup.target import Target
from riskee.errors import NotFoundError, RetryableError
from riskee.settings import BackupSettings, Settings
from tests.conftest import REPOSITORY
from tests.integration.front_server import free_port
from tests.unit.backup.test_repository import KEY, START, stored

MISSING = [name for name in ("moto", "flask", "s3fs") if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(MISSING), reason="`make deployment` installs moto and s3fs"),
]
# As `python3 -m infra.deployment.secrets` asks for it.
CONFIGURATION = """[default]
aws_access_key_id = reader
aws_secret_access_key = secret
region = us-east-1
endpoint_url = {url}
"""
# More than s3fs keeps before it begins to send (50 MiB): an upload in several parts.
LARGE = 60 * 2**20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the server, which has a bucket."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("s3") / "log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 60
        while not _is_up(url):
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _is_up(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.put(f"{url}/kept").status_code == 200
    return False


@pytest.fixture
def configured(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What the target is; who may reach it, and where, is in a file, as in the images."""
    file = tmp_path / "s3.ini"
    file.write_text(CONFIGURATION.format(url=server))
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    yield f"s3://kept/{tmp_path.name}"
    _forget()


def _forget() -> None:
    """End the connections that s3fs keeps for the rest of the process."""
    client: Any = fsspec.get_filesystem_class("s3")
    for one in client._cache.values():
        if one._s3 is not None:
            client.close_session(one.loop, one._s3)
    client.clear_instance_cache()


def unfinished(server: str) -> int:
    """Uploads that were begun and neither completed nor given up: a bucket keeps, and charges for, their parts."""
    return httpx.get(f"{server}/kept?uploads", timeout=60).text.count("<UploadId>")


def test_a_backup_comes_back(configured: str, server: str) -> None:
    repository = Repository(Target(configured), KEY)
    large = os.urandom(2**20) * (LARGE // 2**20)
    first = stored(repository, START, large)
    second = stored(repository, START + timedelta(days=1))
    again = Repository(Target(configured), KEY)
    assert again.manifests() == [second, first]
    assert b"".join(again.reading(first.parts[0].objects[0].name)) == large
    assert completed_at(Settings(backup=BackupSettings(target=configured)))["full"] == second.started_at
    again.remove(first.backup_id)
    assert again.ids() == [second.backup_id]
    assert again.target.names(f"backups/{first.backup_id}") == []
    assert unfinished(server) == 0


def _fail_half_way(target: Target, name: str, size: int) -> None:
    with target.writing(name) as file:
        file.write(bytes(size))
        raise ZeroDivisionError


@pytest.mark.parametrize("size", [0, 1000, LARGE])
def test_what_fails_half_way_leaves_nothing_and_keeps_what_was(configured: str, server: str, size: int) -> None:
    target = Target(configured)
    with target.writing("wal/7/a") as file:
        file.write(b"before")
    for name in ("wal/7/a", "wal/7/b"):
        with pytest.raises(ZeroDivisionError):
            _fail_half_way(target, name, size)
    assert target.names("wal/7") == ["a"]
    with target.reading("wal/7/a") as file:
        assert file.read() == b"before"
    assert not target.exists("wal/7/b")
    assert unfinished(server) == 0


@pytest.mark.parametrize("content", [b"", b"a little", bytes(6 * 2**20)])
def test_an_object_of_any_size_is_written(configured: str, content: bytes) -> None:
    target = Target(configured)
    with target.writing("one") as file:
        file.write(content)
    with target.reading("one") as file:
        assert file.read() == content


def test_what_another_process_wrote_is_seen(configured: str, server: str) -> None:
    target = Target(configured)
    assert target.names("wal") == []
    name = configured.rpartition("/")[2]
    assert httpx.put(f"{server}/kept/{name}/wal/later", content=b"x", timeout=60).status_code == 200
    assert target.names("wal") == ["later"]
    with pytest.raises(NotFoundError, match="has no wal/earlier"), target.reading("wal/earlier"):
        pass


@pytest.mark.parametrize("fault", ["no bucket", "no server", "no key"])
def test_a_store_that_does_not_answer_may_do_so_later(
    configured: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "s3://elsewhere/backups" if fault == "no bucket" else configured
    if fault == "no server":
        (tmp_path / "s3.ini").write_text(CONFIGURATION.format(url=f"http://127.0.0.1:{free_port()}"))
    if fault == "no key":
        (tmp_path / "s3.ini").write_text("[default]\nregion = us-east-1\n")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    target = Target(address)
    with pytest.raises(RetryableError, match=r"does not take or give one: .*check its"), target.writing("one") as file:
        file.write(b"content")
    if fault != "no bucket":
        with pytest.raises(RetryableError, match="does not take or give wal"):
            target.names("wal")


def test_the_commands_do(configured: str, tmp_path: Path) -> None:
    """In processes of their own, which end without a word of connections that were left open."""
    home = tmp_path / "home"
    (home / "reports").mkdir(parents=True)
    (home / "reports" / "model.html").write_text("a report")
    told = {
        "RISKEE_HOME": str(home),
        "RISKEE_BACKUP__TARGET": configured,
        "RISKEE_BACKUP__KEY": base64.b64encode(KEY).decode(),
    }

    def riskee(*words: str) -> dict[str, Any]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("RISKEE_")}
        done = subprocess.run(
            [sys.executable, "-W", "default::ResourceWarning", "-m", "riskee", "backup", *words, "--json"],
            env=own | told, cwd=REPOSITORY, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "Unclosed" not in done.stderr
        assert "Exception ignored" not in done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    made = riskee("create", "--only", "files")
    assert riskee("restore", made["backup_id"], "--extract", str(tmp_path / "back"))["counts"] == {"objects": 1}
    assert (tmp_path / "back" / "files" / "home.tar").stat().st_size > 0
