"""supervisord: its configuration, and its XML-RPC interface as typed calls."""

import http.client
import os
import shlex
import xmlrpc.client
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from infra.embedded.files import Home
from infra.embedded.ports import HOST
from infra.embedded.processes import Process
from infra.embedded.urgency import prefix
from riskee.errors import RetryableError

USER = "riskee"
TIMEOUT_SECONDS = 5.0
# A child that fails again and again is tried for ever, each time one second later than before.
ENDLESS = 1_000_000
# Faults that only say that a child is already where we want it, or that supervisord will try again by itself.
ALREADY_STARTED, NOT_RUNNING, SPAWN_ERROR = 60, 70, 50


class ChildState(msgspec.Struct, frozen=True):
    """What supervisord knows of one child."""

    name: str
    state: str
    pid: int
    description: str
    started_at: float
    now: float
    restarts: int


class SupervisorDownError(RetryableError):
    """supervisord does not answer."""


def render(home: Home, repo_root: Path, processes: Iterable[Process], port: int, password: str) -> str:
    """supervisord's configuration file."""
    head = f"""\
[supervisord]
nodaemon=true
silent=true{"" if os.geteuid() else chr(10) + "user=root"}
logfile={home.logs / "supervisord.log"}
logfile_maxbytes=5MB
logfile_backups=1
umask=077
pidfile={home.run / "supervisord.pid"}
directory={_value(repo_root)}

[inet_http_server]
port={HOST}:{port}
username={USER}
password={password}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[rpcinterface:restarts]
supervisor.rpcinterface_factory=infra.embedded.restarts:make_restart_counter

[rpcinterface:wake_up]
supervisor.rpcinterface_factory=infra.embedded.wake_up:make_wake_up

[rpcinterface:full_disk]
supervisor.rpcinterface_factory=infra.embedded.full_disk:make_full_disk_watch
home={_value(home.root)}
"""
    return "\n".join([head, *(_program(home, process, order) for order, process in enumerate(processes))])


def _program(home: Home, process: Process, order: int) -> str:
    # The signal reaches the child even when supervisord is killed with SIGKILL.
    command = ("setpriv", "--pdeathsig", process.stop_signal, "--", *prefix(process.name), *process.command)
    return f"""\
[program:{process.name}]
command={_value(shlex.join(command))}
priority={order}
environment={",".join(f'{key}="{value}"' for key, value in process.environment.items())}
autostart=false
autorestart=true
startsecs=1
startretries={ENDLESS}
stopsignal={process.stop_signal}
stopasgroup={str(process.stop_group).lower()}
killasgroup=true
stopwaitsecs={process.stop_seconds}
redirect_stderr=true
stdout_logfile={home.logs / f"{process.name}.log"}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
"""


def _value(text: str | Path) -> str:
    """Escape what supervisord would expand."""
    return str(text).replace("%", "%%")


class _Transport(xmlrpc.client.Transport):
    """A transport that gives up: the standard one waits for ever."""

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = super().make_connection(host)
        connection.timeout = TIMEOUT_SECONDS
        return connection


class Supervisor:
    """Calls to a running supervisord. Each raises SupervisorDownError when it does not answer."""

    def __init__(self, port: int, password: str) -> None:
        self._url = f"http://{USER}:{password}@{HOST}:{port}/RPC2"

    def call(self, method: str, *arguments: Any) -> Any:
        """One XML-RPC call. Faults (the server's own errors) pass through."""
        try:
            with xmlrpc.client.ServerProxy(self._url, transport=_Transport()) as proxy:
                return getattr(proxy, method)(*arguments)
        except xmlrpc.client.ProtocolError as error:
            # Its own text holds the address, and that the password.
            refusal = f"supervisord answers {error.errcode} {error.errmsg}"
            raise SupervisorDownError(refusal, "`riskee down` and `riskee up` start it anew") from None
        except (OSError, http.client.HTTPException) as error:
            raise SupervisorDownError(f"supervisord does not answer: {error}", "`riskee up` starts it") from error

    def children(self) -> list[ChildState]:
        """All children, in the order of the configuration."""
        restarts: Mapping[str, int] = self.call("restarts.counts")
        infos = sorted(self.call("supervisor.getAllProcessInfo"), key=lambda info: info["name"])
        return [
            ChildState(
                name=info["name"], state=info["statename"], pid=info["pid"],
                description=info["description"] or info["spawnerr"], started_at=info["start"], now=info["now"],
                restarts=restarts.get(info["name"], 0),
            )
            for info in infos
        ]  # fmt: skip

    def start(self, name: str) -> None:
        """Start a child unless it runs; do not wait."""
        self._tolerate((ALREADY_STARTED, SPAWN_ERROR), "supervisor.startProcess", name)

    def stop(self, name: str) -> None:
        """Ask a child to stop; do not wait."""
        self._tolerate((NOT_RUNNING,), "supervisor.stopProcess", name)

    def shutdown(self) -> None:
        """Stop every child, then supervisord."""
        self.call("supervisor.shutdown")

    def _tolerate(self, faults: tuple[int, ...], method: str, name: str) -> None:
        try:
            self.call(method, name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode not in faults:
                raise
