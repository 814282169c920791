"""Files of a home: secrets, modes, space, locks."""

import errno
import json
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from infra.embedded.credentials import load_credentials
from infra.embedded.files import Home, write_failed, write_private
from infra.embedded.locks import exclusive, try_lock
from riskee.errors import FatalError

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


def test_folders_are_closed_to_others_but_passable(home: Home) -> None:
    assert [mode(folder) for folder in (home.root, home.data, home.run, home.logs)] == [
        "0o711",
        "0o711",
        "0o700",
        "0o700",
    ]


def test_an_existing_home_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    Home(tmp_path).create()
    assert mode(tmp_path) == "0o700"


def test_a_percent_sign_in_the_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="has a % in its path"):
        Home(tmp_path / "100%").create()


def test_a_home_below_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FatalError, match=r"cannot be written: Not a directory .* set RISKEE_HOME"):
        Home(tmp_path / "file" / "home").create()


def test_too_little_space_is_a_clear_error(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(0, 0, 100 * 2**20))
    with pytest.raises(FatalError, match=r"has 100 MB left, 500 MB are needed .* free some space"):
        home.require_space()


def test_a_full_disk_is_named() -> None:
    error = write_failed(Path("/x/y"), OSError(errno.ENOSPC, "No space left on device"))
    assert "disk of /x/y is full" in error.cause


def test_a_failed_write_leaves_the_old_file(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    file = home.run / "f"
    write_private(file, "old")

    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(FatalError, match="is full"):
        write_private(file, "new")
    assert [entry.name for entry in home.run.iterdir()] == ["f"]
    assert file.read_text() == "old"


def test_secrets_are_made_once_and_private(home: Home) -> None:
    first = load_credentials(home)
    assert load_credentials(home) == first
    assert mode(home.root / "secrets.json") == "0o600"
    values = json.loads((home.root / "secrets.json").read_text()).values()
    assert len(set(values)) == 4
    assert min(map(len, values)) >= 32


def test_damaged_secrets_are_not_replaced(home: Home) -> None:
    (home.root / "secrets.json").write_text('{"postgres": "only"')
    with pytest.raises(FatalError, match="cannot be read"):
        load_credentials(home)
    assert (home.root / "secrets.json").read_text() == '{"postgres": "only"'


def test_a_lock_keeps_a_second_holder_out(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with exclusive(path):
        assert try_lock(path) is None
        with pytest.raises(FatalError, match=rf"pid {os.getpid()}"), exclusive(path):
            pass
    lock = try_lock(path)
    assert lock is not None
    os.close(lock)
