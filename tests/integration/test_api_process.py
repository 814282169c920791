"""The API's process: to whom it opens, and what its logs and the commands tell of secrets."""

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, make_url, text
from typer.testing import CliRunner
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from riskee.access.grants import ALL_GRANTS
from riskee.cli.app import app
from riskee.settings import Settings
from riskee.storage.api_keys import note_used, read_keys
from tests.conftest import REPOSITORY
from tests.faults.proxy import Proxy
from tests.integration.api_callers import ISSUER, KID, SHARED, bearer, claims, key_for, token, unsigned
from tests.integration.conftest import TICKERS, eventually
from tests.integration.live_processes import environment_of, free_port
from tests.unit.cli.test_completion import complete

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Process:
    """An API of its own, with its log."""

    popen: subprocess.Popen[bytes]
    url: str
    log: Path

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextmanager
def process(settings: Settings, folder: Path, **environ: str) -> Iterator[Process]:
    """`python -m serving.api`, ended by SIGTERM."""
    port = free_port()
    log = folder / "api.log"
    with log.open("wb") as out:
        popen = subprocess.Popen(
            [sys.executable, "-m", "serving.api"],
            cwd=REPOSITORY,
            env=environment_of(settings) | {"RISKEE_API__PORT": str(port)} | environ,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Process(popen, f"http://127.0.0.1:{port}", log)
    finally:
        popen.terminate()
        popen.wait(20)


async def _answers(one: Process) -> None:
    async with asyncio.timeout(30), httpx.AsyncClient(base_url=one.url) as client:
        while True:
            assert one.popen.poll() is None, one.log.read_text()[-2000:]
            with contextlib.suppress(httpx.TransportError):
                await client.get("/health/live")
                return
            await asyncio.sleep(0.1)


async def test_it_is_open_on_loopback_and_says_so(known: Settings, tmp_path: Path) -> None:
    with process(known, tmp_path) as one:
        await _answers(one)
        assert httpx.get(f"{one.url}/v1/statuses").status_code == 200
        assert any(str(line["event"]).startswith("open to everybody on this machine") for line in one.lines())


async def test_it_ends_where_work_in_the_background_does(known: Settings, engine: Engine, tmp_path: Path) -> None:
    """Whoever watches the process starts it again; without the keys, say, it would go on with revoked ones. A database
    that is behind, as before a migration, is waited for."""
    key_for(engine)
    with process(known, tmp_path) as one:
        await _answers(one)
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE api_keys RENAME COLUMN last_used_at TO used_at"))
        await eventually(lambda: any("are of another version" in str(line.get("cause")) for line in one.lines()))
        assert (await asyncio.to_thread(httpx.get, f"{one.url}/v1/statuses")).status_code == 200
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE api_keys RENAME COLUMN used_at TO last_used_at"))
            connection.execute(text("ALTER TABLE api_keys ALTER COLUMN digest TYPE text USING repeat('-', 32)"))
        assert await asyncio.to_thread(one.popen.wait, 30) == 1
    assert any(line.get("work") == "keys" for line in one.lines())


async def test_it_ends_though_a_thread_waits_for_the_database(known: Settings, tmp_path: Path) -> None:
    url = make_url(known.database.url.get_secret_value())
    assert url.port
    proxy = Proxy(url.port, seed=1)
    away = url.set(port=await proxy.start()).render_as_string(hide_password=False)
    try:
        with process(known, tmp_path, RISKEE_DATABASE__URL=away) as one:
            await _answers(one)
            proxy.stall()
            with pytest.raises(httpx.ReadTimeout):
                await asyncio.to_thread(httpx.get, f"{one.url}/v1/models", timeout=3)
            assert one.popen.poll() is None, "it goes on"
            one.popen.terminate()
            try:
                assert await asyncio.to_thread(one.popen.wait, 40) == 0
            finally:
                one.popen.kill()
    finally:
        await proxy.stop()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
async def test_bash_completes_the_tickers_that_it_knows(known: Settings, tmp_path: Path) -> None:
    with process(known, tmp_path) as one:
        await _answers(one)
        port = one.url.rpartition(":")[2]
        found = complete("bash", tmp_path, "predict", "", RISKEE_HOME=str(known.home), RISKEE_API__PORT=port)
    assert sorted(found) == sorted(TICKERS)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_elsewhere_it_refuses_to_start_without_credentials(known: Settings, tmp_path: Path, host: str) -> None:
    with process(known, tmp_path, RISKEE_API__HOST=host) as one:
        assert one.popen.wait(30) == 1
    (error,) = [str(line["error"]) for line in one.lines() if line["event"] == "cannot go on"]
    assert f"would listen on {host}" in error
    assert "riskee keys create" in error


async def test_elsewhere_it_starts_with_a_key_and_asks_for_it(known: Settings, engine: Engine, tmp_path: Path) -> None:
    key_for(engine, revoked=True)
    with process(known, tmp_path, RISKEE_API__HOST="0.0.0.0") as one:
        assert one.popen.wait(30) == 1, "a revoked key lets nobody in"
    key = key_for(engine, pepper="")
    with process(known, tmp_path, RISKEE_API__HOST="0.0.0.0") as one:
        await _answers(one)
        asked = httpx.get(f"{one.url}/v1/statuses")
        assert asked.status_code == 401
        assert httpx.get(f"{one.url}/v1/statuses", headers=bearer(key)).status_code == 200
        assert httpx.post(f"{one.url}/v1/predict", headers=bearer(key), json={}).status_code == 422

        def audited() -> list[dict[str, object]]:
            return [line for line in one.lines() if line["event"] == "audit"]

        # The line of what was done is written once the answer has gone out.
        await eventually(lambda: len(audited()) == 2)
        denied, done = audited()
    told = {"address": "127.0.0.1", "method": "GET", "route": "/v1/statuses", "status": 401, "outcome": "denied"}
    assert told.items() <= denied.items()
    assert denied["request_id"] == asked.headers["x-request-id"]
    assert (denied["caller"], denied["reason"]) == ("", "no credential was sent")
    told = {"caller": key.split("_")[1], "kind": "key", "route": "/v1/predict", "status": 422, "outcome": "failed"}
    assert told.items() <= done.items()


async def test_what_is_audited_may_have_a_file_of_its_own(known: Settings, tmp_path: Path) -> None:
    """Other lines cannot push it out there, and no level leaves it out."""
    file = tmp_path / "audit.log"
    own = {"RISKEE_API__AUDIT__PATH": str(file), "RISKEE_LOG_LEVEL": "ERROR"}
    with process(known, tmp_path, **own) as one:
        await _answers(one)
        assert httpx.post(f"{one.url}/v1/predict", json={}).status_code == 422
        assert httpx.get(f"{one.url}/v1/statuses", headers={"Host": "evil.example"}).status_code == 421
        await eventually(lambda: len(file.read_text().splitlines()) == 2)
        told = [json.loads(line) for line in file.read_text().splitlines()]
        assert [(line["event"], line["outcome"]) for line in told] == [("audit", "failed"), ("audit", "denied")]
        assert one.lines() == []


PASSWORDS = {name: f"planted-{name}-password" for name in ("database", "redis", "nats")}


def _unreachable(port: int) -> dict[str, str]:
    """Servers that are away, each with a password."""
    at = f"127.0.0.1:{port}"
    return {
        "RISKEE_DATABASE__URL": f"postgresql+psycopg://riskee:{PASSWORDS['database']}@{at}/riskee",
        "RISKEE_REDIS__URL": f"redis://:{PASSWORDS['redis']}@{at}/0",
        "RISKEE_NATS__URL": f"nats://riskee:{PASSWORDS['nats']}@{at}",
        "RISKEE_API__GUARD__REQUIRE_CREDENTIALS": "true",
        "RISKEE_API__GUARD__KEY_PEPPER": "planted-pepper-of-keys",
        "RISKEE_API__TOKEN": "planted-token-of-commands",
        "RISKEE_API__JWT__ISSUER": ISSUER,
        "RISKEE_API__JWT__KEYS": json.dumps({KID: SHARED}),
        "RISKEE_LOG_LEVEL": "DEBUG",
    }


async def test_no_secret_is_in_the_logs_whatever_fails(known: Settings, engine: Engine, tmp_path: Path) -> None:
    key, good, bad = key_for(engine), token(claims()), unsigned(claims())
    shown = [
        key,
        good,
        bad,
        token(claims(aud="other")),
        token(claims(), key="z" * 64),
        "no-credential-at-all-0123456789",
    ]
    with process(known, tmp_path, **_unreachable(free_port())) as one:
        await _answers(one)
        async with httpx.AsyncClient(base_url=one.url, timeout=20) as client:
            for credential in shown:
                for path in ("/v1/predict/AAPL", "/v1/tickers", "/v1/nothing", "/v1/track-record/AAPL"):
                    await client.get(path, headers=bearer(credential))
                await client.post("/v1/predict", headers=bearer(credential), content=b"{")
                await client.get("/v1/tickers", headers={"Authorization": f"Basic {credential}"})
                await _handshakes(one.url, credential)
            assert (await client.get("/v1/predict/AAPL", headers=bearer(good))).status_code == 503
    log = one.log.read_text()
    events = [line["event"] for line in one.lines()]
    assert "audit" in events
    assert "the API keys cannot be read yet" in events
    secrets = {*PASSWORDS.values(), SHARED, "planted-pepper-of-keys", "planted-token-of-commands", key.split("_", 2)[2]}
    secrets |= {part for credential in shown for part in credential.split(".") if len(part) > 20}
    assert [secret for secret in secrets if secret in log] == []


async def _handshakes(url: str, credential: str) -> None:
    for how in ({"additional_headers": bearer(credential)}, {"subprotocols": [f"riskee.bearer.{credential}"]}):
        with contextlib.suppress(InvalidStatus):
            async with connect(url.replace("http", "ws") + "/v1/stream", **how):
                pass


@pytest.fixture
def commands(known: Settings, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("RISKEE_HOME", str(known.home))
    monkeypatch.setenv("RISKEE_DATABASE__URL", known.database.url.get_secret_value())
    return CliRunner()


def test_keys_are_made_listed_and_revoked(commands: CliRunner, engine: Engine) -> None:
    made = commands.invoke(app, ["keys", "create", "--scopes", "stream:read,predictions:read", "--name", "wall"])
    token_ = made.stdout.strip()
    assert (made.exit_code, token_.startswith("rk_"), "\n" in token_) == (0, True, False)
    (listed,) = json.loads(commands.invoke(app, ["keys", "list", "--json"]).stdout)
    assert (listed["name"], listed["state"], listed["scopes"]) == ("wall", "live", "predictions:read stream:read")
    for shown in (commands.invoke(app, ["keys", "list"]), commands.invoke(app, ["keys", "list", "--json"])):
        assert listed["key_id"] in shown.stdout
        assert token_.split("_", 2)[2] not in shown.output
    assert listed["last_used_at"] == "never"
    used = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
    with engine.begin() as connection:
        note_used(connection, {listed["key_id"]: used})
        note_used(connection, {listed["key_id"]: used - timedelta(hours=1)})
    (listed,) = json.loads(commands.invoke(app, ["keys", "list", "--json"]).stdout)
    assert listed["last_used_at"] == "2026-11-22 10:30", "of several processes' the latest"
    with engine.connect() as connection:
        (stored,) = read_keys(connection)
    assert token_.split("_", 2)[2].encode() not in stored.digest
    assert stored.expires_at is not None
    assert commands.invoke(app, ["keys", "revoke", listed["key_id"]]).exit_code == 0
    (listed,) = json.loads(commands.invoke(app, ["keys", "list", "--json"]).stdout)
    assert listed["state"] == "revoked"


def test_what_cannot_be_made_or_revoked(commands: CliRunner, engine: Engine) -> None:
    for arguments, cause in (
        (["create", "--scopes", "everything"], "everything is no scope"),
        (["create", "--scopes", "all", "--expires", "soon"], "soon is no time to live"),
        (["revoke", "000000000000"], "there is no key 000000000000"),
    ):
        failed = commands.invoke(app, ["keys", *arguments])
        assert (failed.exit_code, cause in str(failed.exception)) == (1, True)
    never = commands.invoke(app, ["keys", "create", "--scopes", "all", "--expires", "never", "--json"])
    assert json.loads(never.stdout)["ends_at"] == "never"
    with engine.connect() as connection:
        (stored,) = read_keys(connection)
    assert stored.grants == ALL_GRANTS


def test_settings_show_no_secret(commands: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _unreachable(1).items():
        monkeypatch.setenv(name, value)
    for arguments in (["settings"], ["settings", "--json"]):
        shown = commands.invoke(app, arguments)
        assert shown.exit_code == 0
        for secret in (*PASSWORDS.values(), SHARED, "planted-pepper-of-keys", "planted-token-of-commands"):
            assert secret not in shown.output.replace("\n", "")
