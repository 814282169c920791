"""When NATS is started anew after a full disk."""

import signal
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from infra.embedded import full_disk


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "data" / "nats").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "ports.json").write_text('{"nats-monitor": 1}')
    return tmp_path


@pytest.mark.parametrize(("failed", "enough", "signals"), [(True, 0, 1), (True, 2**62, 0), (False, 0, 0)])
def test_only_a_failed_store_with_room_is_started_anew(
    home: Path, monkeypatch: pytest.MonkeyPatch, failed: bool, enough: int, signals: int
) -> None:
    nats = Mock()
    group = SimpleNamespace(processes={"nats": nats})
    monkeypatch.setattr(full_disk, "ENOUGH_BYTES", enough)
    monkeypatch.setattr(full_disk, "write_failed", lambda _port: failed)
    watch = full_disk.FullDiskWatch(SimpleNamespace(process_groups={"nats": group}), home)
    watch._look(None)
    assert nats.signal.call_args_list == [((signal.SIGTERM,),)] * signals


def test_a_server_of_the_users_own_is_left_alone(home: Path) -> None:
    full_disk.FullDiskWatch(SimpleNamespace(process_groups={}), home)._look(None)


def test_a_folder_that_is_gone_has_no_room(tmp_path: Path) -> None:
    assert not full_disk.has_room(tmp_path)


@pytest.mark.parametrize("ports", ["", "{", "{}", '{"nats-monitor": "x"}'])
def test_ports_that_cannot_be_read_leave_the_server_alone(
    ports: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nats = Mock()
    monkeypatch.setattr(full_disk, "ENOUGH_BYTES", 0)
    watch = full_disk.FullDiskWatch(
        SimpleNamespace(process_groups={"nats": SimpleNamespace(processes={"nats": nats})}), home
    )
    file = home / "run" / "ports.json"
    file.write_text(ports)
    watch._look(None)
    file.unlink()
    watch._look(None)
    assert not nats.signal.called
