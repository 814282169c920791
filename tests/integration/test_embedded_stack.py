"""The embedded stack survives what happens to it: killed children, a killed supervisor, a second home."""

import asyncio
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from infra.embedded.configuration import SMALLEST_STORE
from infra.embedded.stack import ProcessStatus, Stack
from riskee.errors import FatalError, RetryableError
from riskee.messaging.streams import STREAMS
from riskee.settings import load_settings
from riskee.storage.bus import Bus
from tests.conftest import running_stack

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

REPOSITORY = Path(__file__).parents[2]
SERVERS = ("postgres", "nats", "redis", "qdrant", "ollama")


@pytest.fixture
def own_stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack that the test may break: PostgreSQL, NATS and Valkey, which start fastest."""
    monkeypatch.setenv("RISKEE_VECTORS__URL", "http://elsewhere:6333")
    monkeypatch.setenv("RISKEE_LLM__URL", "http://elsewhere:11434")
    with running_stack("riskee own ") as stack:
        yield stack


def _processes_of(stack: Stack) -> list[psutil.Process]:
    """Everything that was started for this home, wherever it is in the tree."""
    return [
        process
        for process in psutil.process_iter(["environ"])
        if process.pid != os.getpid() and (process.info["environ"] or {}).get("RISKEE_HOME") == str(stack.home)
    ]


def _state(stack: Stack, name: str) -> ProcessStatus:
    return next(status for status in stack.status() if status.name == name)


def _eventually(check: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _pid(stack: Stack, file: str) -> int:
    return int((stack.home / "run" / file).read_text())


def test_servers_answer_their_clients(stack: Stack) -> None:
    running = {status.name for status in stack.status() if status.state == "RUNNING"}
    assert running == set(SERVERS)


def test_secrets_are_for_the_owner_only(stack: Stack) -> None:
    run = stack.home / "run"
    generated = [run / name for name in ("endpoints.json", "nats.conf", "valkey.conf", "supervisord.conf")]
    files = [stack.home / "secrets.json", stack.home / "dagster" / "dagster.yaml", *generated]
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}


def test_postgres_asks_for_the_password(stack: Stack) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://postgres:wrong@127.0.0.1:{stack.ports['postgres']}/postgres")


def test_valkey_asks_for_the_password(stack: Stack) -> None:
    with (
        redis.Redis(port=stack.ports["redis"], retry=Retry(NoBackoff(), 0)) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()


def test_servers_listen_on_the_loopback_only(stack: Stack) -> None:
    addresses = {
        connection.laddr.ip
        for process in _processes_of(stack)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}


@pytest.mark.parametrize("name", SERVERS)
def test_a_killed_server_comes_back(stack: Stack, name: str) -> None:
    before = _state(stack, name)
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    assert _eventually(lambda: _state(stack, name).restarts == before.restarts + 1)
    stack.start_servers()  # returns when all answer
    after = _state(stack, name)
    assert after.pid not in (None, before.pid)


@pytest.mark.parametrize("fails", [False, True])
def test_something_can_be_done_while_a_process_is_stopped(stack: Stack, fails: bool) -> None:
    before, seen = _state(stack, "redis"), []

    def look() -> None:
        seen.append(_state(stack, "redis").state)
        if fails:
            raise RetryableError("away")

    with pytest.raises(RetryableError) if fails else nullcontext():
        stack.restart("redis", while_stopped=look)
    assert seen == ["STOPPED"]
    after = _state(stack, "redis")
    assert after.state == "RUNNING"
    assert after.pid != before.pid


def test_a_second_start_changes_nothing(stack: Stack) -> None:
    before = [(status.name, status.pid) for status in stack.status()]
    stack.start_servers()
    assert [(status.name, status.pid) for status in stack.status()] == before


def test_a_running_command_keeps_others_out(stack: Stack) -> None:
    with stack.exclusive(), pytest.raises(FatalError, match=f"pid {os.getpid()}"):
        Stack(stack.home, REPOSITORY).stop()


def test_two_homes_do_not_collide(stack: Stack, own_stack: Stack) -> None:
    assert not set(stack.ports.values()) & set(own_stack.ports.values())
    states = {status.state for status in own_stack.status() if status.group == "server"}
    assert states == {"RUNNING"}


def test_two_homes_may_start_at_the_same_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKEE_LLM__URL", "http://elsewhere:11434")
    stacks = [Stack(tmp_path / name, REPOSITORY) for name in ("a", "b")]
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(Stack.start_servers, stacks))
        assert not set(stacks[0].ports.values()) & set(stacks[1].ports.values())
    finally:
        for stack in stacks:
            stack.stop()


def test_a_port_in_use_is_said_and_gone_around(own_stack: Stack) -> None:
    own_stack.stop()
    wanted = own_stack.ports["redis"]
    said: list[tuple[str, str]] = []
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", wanted))
        squatter.listen()
        own_stack.start_servers(lambda name, message: said.append((name, message)))
    assert own_stack.ports["redis"] != wanted
    assert any(name == "redis" and f"using {own_stack.ports['redis']}" in message for name, message in said)


def test_a_requested_port_in_use_is_an_error(own_stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    own_stack.stop()
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        monkeypatch.setenv("RISKEE_API__PORT", str(port))
        with pytest.raises(FatalError, match=f"port {port} for api is in use"):
            own_stack.start_servers()


def test_a_server_that_cannot_start_says_why(own_stack: Stack) -> None:
    own_stack.stop()
    configuration = own_stack.home / "data" / "postgres" / "PG_VERSION"
    configuration.write_text("17\n")
    with pytest.raises(FatalError, match="initialized by PostgreSQL version 17"):
        own_stack.start_servers()


def test_stop_leaves_nothing_and_start_finds_the_data(own_stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKEE_HOME", str(own_stack.home))
    url = load_settings().database.url.get_secret_value().replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    ports = own_stack.ports
    own_stack.stop()
    assert _processes_of(own_stack) == []
    assert {status.state for status in own_stack.status()} == {"STOPPED"}
    own_stack.start_servers()
    assert own_stack.ports == ports
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchall() == [(42,)]


@pytest.mark.parametrize("file", ["supervisord.pid", "guard.pid"])
def test_killing_the_supervisor_leaves_no_orphan(own_stack: Stack, file: str) -> None:
    os.kill(_pid(own_stack, file), signal.SIGKILL)
    assert _eventually(lambda: _processes_of(own_stack) == [], seconds=30)
    assert not own_stack.running
    own_stack.start_servers()
    assert own_stack.running


def test_all_streams_find_room_on_a_small_disk(own_stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    own_stack.stop()
    shutil.rmtree(own_stack.home / "data" / "nats")
    (own_stack.home / "data" / "nats-store-bytes").write_text(str(SMALLEST_STORE))
    own_stack.start_servers()
    monkeypatch.setenv("RISKEE_HOME", str(own_stack.home))

    async def sizes() -> list[int]:
        bus = await Bus.connect(load_settings().nats, "test", timeout=5)
        try:
            await bus.ensure_streams()
            return [(await bus.jetstream.stream_info(stream.name)).config.max_bytes or 0 for stream in STREAMS]
        finally:
            await bus.close()

    made = asyncio.run(sizes())
    assert sum(made) <= SMALLEST_STORE
    assert len(set(made)) == 1, "none was made smaller because the others had taken the room"


def test_a_stale_pid_of_another_program_does_not_stop_postgres(own_stack: Stack) -> None:
    own_stack.stop()
    (own_stack.home / "data" / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    own_stack.start_servers()
    assert _state(own_stack, "postgres").restarts == 0


def test_a_home_that_only_its_owner_may_enter(tmp_path: Path) -> None:
    """As root this is where no other user can run PostgreSQL; the folder is too long for a Unix socket as well."""
    tmp_path.chmod(0o700)
    stack = Stack(tmp_path / "deep" / ("x" * 120), REPOSITORY)
    try:
        stack.start_servers()
        assert _state(stack, "postgres").pid
    finally:
        stack.stop()
    assert _processes_of(stack) == []
