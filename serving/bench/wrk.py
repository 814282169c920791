"""The load: wrk, an open-source tool, in a process of its own (docs/adr/0126).

It is a closed loop: each connection sends its next request when it has its answer, so a stall is met once by each.
"""

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from riskee.errors import FatalError

_INSTALL = "install it (Debian, Ubuntu: apt install wrk; Fedora: dnf install wrk; macOS: brew install wrk)"
# wrk's own answers are for people. `format` builds each request once; `done` is called at the end.
_SCRIPT = """
local requests, number = {}, 0

local function content(name)
  local file = io.open(name, "r")
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return text
end

function init(args)
  local folder = args[1]
  local body, token = content(folder .. "/body"), content(folder .. "/token")
  if token then wrk.headers["Authorization"] = "Bearer " .. token end
  if body then
    wrk.method, wrk.body = "POST", body
    wrk.headers["Content-Type"] = "application/json"
  end
  for path in io.lines(folder .. "/paths") do requests[#requests + 1] = wrk.format(nil, path) end
end

function request()
  number = number % #requests + 1
  return requests[number]
end

function done(summary, latency, _)
  local failed = summary.errors
  io.write(string.format(
    '{"requests":%d,"microseconds":%d,"refused":%d,"broken":%d,"p50":%d,"p95":%d,"p99":%d,"most":%d}\\n',
    summary.requests, summary.duration, failed.status, failed.connect + failed.read + failed.write + failed.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99), latency.max))
end
"""


class Wrote(msgspec.Struct, frozen=True, kw_only=True):
    """What wrk has found. Times are microseconds; `refused` answers had a status from 400 on, `broken` had none."""

    requests: int
    microseconds: int
    refused: int
    broken: int
    p50: int
    p95: int
    p99: int
    most: int
    # Of a processor, by wrk itself.
    cpu_seconds: float = 0.0


@dataclass(frozen=True)
class Asked:
    """Requests to repeat for so long: these paths in turn, as POST where there is a body."""

    paths: Sequence[str]
    body: bytes = b""
    token: str = ""


@dataclass(frozen=True)
class Wrk:
    """The program, and where its libraries are when it was fetched."""

    program: Path
    libraries: Path | None = None

    def run(self, url: str, asked: Asked, *, connections: int, seconds: float, folder: Path) -> Wrote:
        """Ask a server. `folder` is a new one for the load's files. Raises FatalError where wrk fails."""
        self._write(asked, folder)
        command = [str(self.program), "-t1", f"-c{connections}", f"-d{max(round(seconds), 1)}s", "--timeout", "10s"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(  # noqa: S603 (wrk, with arguments of our own)
            [*command, "-s", str(folder / "load.lua"), url, "--", str(folder)],
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = next((line for line in reversed(done.stdout.splitlines()) if line.startswith("{")), "")
        if done.returncode or not found:
            raise FatalError(f"wrk failed: {(done.stderr or done.stdout).strip()}", "run it by hand to see why")
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return msgspec.convert(json.loads(found) | {"cpu_seconds": spent}, Wrote)

    def version(self) -> str:
        """The program's name and version."""
        command = [str(self.program), "-v"]
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=False)  # noqa: S603
        return done.stdout.partition("[")[0].strip()

    @staticmethod
    def _write(asked: Asked, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        (folder / "load.lua").write_text(_SCRIPT)
        (folder / "paths").write_text("".join(f"{path}\n" for path in asked.paths))
        if asked.body:
            (folder / "body").write_bytes(asked.body)
        if asked.token:
            (folder / "token").write_text(asked.token)

    def _environment(self) -> dict[str, str]:
        return dict(os.environ) | ({"LD_LIBRARY_PATH": str(self.libraries)} if self.libraries else {})


def find_wrk(tools: Path) -> Wrk:
    """wrk from the PATH, or else from Debian's packages, fetched into `tools` without being installed.

    apt checks their signatures. Raises FatalError where neither is possible.
    """
    found = shutil.which("wrk")
    if found:
        return Wrk(Path(found))
    program = tools / "wrk" / "usr" / "bin" / "wrk"
    if not program.exists():
        _fetch(tools / "wrk")
    return Wrk(program, next(program.parents[1].glob("lib/*-linux-gnu")))


def _fetch(folder: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise FatalError("the load tool wrk is not on the PATH", _INSTALL)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "apt" / "lists" / "partial").mkdir(parents=True)
    places = ("State::Lists=apt/lists", "Cache=apt/cache", "State::status=apt/status")
    (folder / "apt" / "status").touch()
    options = [word for place in places for word in ("-o", f"Dir::{place.replace('=', f'={folder}/')}")]
    options += ["-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1", "-qq"]
    try:
        _apt(["apt-get", *options, "update"], folder)
        # With no package installed, apt names all that wrk needs.
        needed = _apt(["apt-get", *options, "--no-install-recommends", "--print-uris", "install", "wrk"], folder)
        names = {line.split()[1].split("_")[0] for line in needed.splitlines() if line.startswith("'")}
        _apt(["apt-get", *options, "download", *sorted(_names(names))], folder)
        for package in folder.glob("*.deb"):
            _apt(["dpkg-deb", "-x", str(package), str(folder)], folder)
            package.unlink()
    finally:
        shutil.rmtree(folder / "apt")


def _names(names: set[str]) -> set[str]:
    """The C library is the system's own; what else wrk is linked to comes with it."""
    return {name for name in names if name.startswith(("wrk", "libluajit", "libssl"))}


def _apt(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 (apt, dpkg)
    if done.returncode:
        raise FatalError(f"wrk could not be fetched by {command[0]}: {done.stderr.strip()[-300:]}", _INSTALL)
    return done.stdout
