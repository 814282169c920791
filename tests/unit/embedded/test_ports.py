"""Choice of ports."""

import os
import tempfile
from pathlib import Path

import pytest

from infra.embedded.ports import USUAL_PORTS, Reserve, allocate, requested_ports, reserve
from riskee.errors import FatalError


def free_except(*taken: int) -> Reserve:
    """A machine on which these ports are taken. The lock is the port itself."""
    return lambda port: None if port in taken else port


def test_every_name_gets_its_usual_port() -> None:
    assert allocate({}, {}, free_except()).ports == USUAL_PORTS


def test_a_taken_port_moves_to_the_next_free_one_and_is_told() -> None:
    allocation = allocate({}, {}, free_except(5432, 5433))
    assert allocation.ports["postgres"] == 5434
    assert list(allocation.moved()) == [("postgres", 5432, 5434)]


def test_a_mover_does_not_push_its_neighbour_away() -> None:
    ports = allocate({}, {}, free_except(9101)).ports
    assert (ports["predict"], ports["record"], ports["explain"]) == (9102, 9103, 9104)
    assert ports["ingest"] == 9105


def test_a_remembered_port_is_kept_while_it_is_free() -> None:
    remembered = {**USUAL_PORTS, "api": 8005}
    assert allocate(remembered, {}, free_except()).ports["api"] == 8005
    assert allocate(remembered, {}, free_except(8005)).ports["api"] == 8000


def test_a_requested_port_wins() -> None:
    assert allocate({"api": 8005}, {"api": 8080}, free_except()).ports["api"] == 8080


def test_a_requested_port_in_use_is_an_error_that_says_so() -> None:
    with pytest.raises(FatalError, match=r"port 8080 for api is in use .* RISKEE_API__PORT"):
        allocate({}, {"api": 8080}, free_except(8080))


def test_no_free_port_is_an_error() -> None:
    with pytest.raises(FatalError, match="no free port for postgres"):
        allocate({}, {}, free_except(*range(5000, 6000)))


def test_all_ports_differ_and_each_is_locked() -> None:
    allocation = allocate({}, {}, free_except(3000, 4000, 9101, 9102))
    assert len(set(allocation.ports.values())) == len(USUAL_PORTS)
    assert sorted(allocation.locks) == sorted(allocation.ports.values())


def test_settings_fix_ports() -> None:
    environ = {"RISKEE_API__PORT": "8080", "RISKEE_METRICS__RECORD_PORT": "no number", "PATH": "/bin"}
    assert requested_ports(environ) == {"api": 8080}


def test_a_folder_of_locks_that_cannot_be_used_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / f"riskee-ports-{os.getuid()}").touch()
    with pytest.raises(FatalError, match=r"riskee-ports-\d+, which reserves ports, cannot be used.* set TMPDIR"):
        reserve(5432)
