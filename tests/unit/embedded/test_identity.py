"""As whom PostgreSQL runs, on machines that this one is not."""

import os
import pwd
from pathlib import Path

import pytest

from infra.embedded import identity
from infra.embedded.identity import postgres_identity
from riskee.errors import FatalError

BINARY = Path("/opt/pg/bin/postgres")


class Machine:
    """Answers what the module asks: who we are, which accounts there are, which commands succeed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, uid: int, refused: str = "nothing") -> None:
        self.asked: list[list[str]] = []
        self._refused = refused
        monkeypatch.setattr(os, "geteuid", lambda: uid)
        monkeypatch.setattr(identity, "_succeeds", self._run)

    def _run(self, command: list[str]) -> bool:
        self.asked.append(command)
        return self._refused not in command


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data" / "postgres"


def test_an_ordinary_user_runs_it_itself(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, uid=pwd.getpwnam("nobody").pw_uid)
    assert postgres_identity(data, data.parent, BINARY).prefix == ()
    assert machine.asked == []


def test_root_hands_it_to_another_user(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Machine(monkeypatch, uid=0)
    chosen = postgres_identity(data, data.parent, BINARY)
    assert chosen.prefix[:2] == ("setpriv", f"--reuid={chosen.uid}")
    assert chosen.uid != 0


def test_root_takes_a_namespace_where_others_may_not_pass(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Machine(monkeypatch, uid=0, refused="test")
    chosen = postgres_identity(data, data.parent, BINARY)
    assert chosen.prefix[:2] == ("unshare", "--user")
    assert chosen.uid == 0


def test_a_user_without_a_name_takes_a_namespace(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Machine(monkeypatch, uid=3_999_999)
    assert postgres_identity(data, data.parent, BINARY).prefix[0] == "unshare"


def test_no_way_is_an_error_with_a_remedy(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Machine(monkeypatch, uid=0, refused="--")
    with pytest.raises(FatalError, match=r"cannot run as user 0.* set RISKEE_HOME"):
        postgres_identity(data, data.parent, BINARY)


def test_an_existing_cluster_keeps_its_owner(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data.mkdir(parents=True)
    owner = data.stat().st_uid
    Machine(monkeypatch, uid=0)
    chosen = postgres_identity(data, data.parent, BINARY)
    assert chosen.uid == owner
    assert chosen.prefix[0] == ("unshare" if owner == 0 else "setpriv")
