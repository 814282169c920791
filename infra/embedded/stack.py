"""The embedded stack as a whole: start, stop, look."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.embedded import binaries, launch
from infra.embedded.children import POLL_SECONDS, STOP_SECONDS, Children, Progress
from infra.embedded.configuration import choose_store, data_folders
from infra.embedded.credentials import Credentials, load_credentials
from infra.embedded.files import Home, write_private
from infra.embedded.locks import exclusive
from infra.embedded.plan import Plan, make_plan
from infra.embedded.ports import Allocation, allocate, further_predictors, requested_ports
from infra.embedded.postgres import Postgres, ensure_databases, keeps_log
from infra.embedded.processes import Group, Process, service_table
from infra.embedded.supervisor import ChildState, Supervisor, SupervisorDownError
from riskee.errors import FatalError

SUPERVISOR_SECONDS = 20.0


@dataclass(frozen=True)
class ProcessStatus:
    """One line of `riskee status`. `uptime_seconds` is 0 unless it runs; `restarts` counts since the stack started."""

    name: str
    group: Group
    state: str
    pid: int | None
    port: int | None
    uptime_seconds: float
    restarts: int
    detail: str


def silent(_name: str, _message: str) -> None:
    """No progress."""


class Stack:
    """The processes of one home. Any number of objects may look at the same home; one at a time may change it."""

    def __init__(self, home: Path, repo_root: Path) -> None:
        self._home = Home(home.absolute())
        self._repo_root = repo_root.absolute()
        self._postgres = Postgres(self._home, binaries.postgres_folder(), keeps_log=keeps_log(os.environ))
        self._locked = False

    @property
    def home(self) -> Path:
        """RISKEE_HOME."""
        return self._home.root

    @property
    def running(self) -> bool:
        """Whether the stack (its supervisor) is up."""
        return launch.is_running(self._home)

    @property
    def ports(self) -> Mapping[str, int]:
        """Ports by process name, plus `nats-monitor` and `supervisor`; empty before the first start."""
        file = self._home.run / "ports.json"
        return dict(json.loads(file.read_text())) if file.exists() else {}

    def moved_ports(self) -> list[tuple[str, int, int]]:
        """(name, usual port, port) of those that do not have the usual one."""
        return list(Allocation(self.ports, ()).moved())

    def environment(self) -> dict[str, str]:
        """Environment variables for a program that works with this stack, such as Dagster's command line."""
        return launch.child_environment(self._home, self.ports)

    def log_path(self, name: str) -> Path:
        """Where the process writes what it has to say."""
        return self._home.logs / f"{name}.log"

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other commands from starting or stopping this home. May be entered again by the same object.

        Raises FatalError when another process holds it.
        """
        if self._locked:
            yield
            return
        self._home.create()
        with exclusive(self._home.run / "command.lock"):
            self._locked = True
            try:
                yield
            finally:
                self._locked = False

    def start_servers(self, progress: Progress = silent) -> None:
        """Start PostgreSQL, NATS, Valkey, Qdrant's and Ollama's fronts; return when all answer.

        With all of them up it only makes sure. Raises FatalError naming what is in the way.
        """
        with self.exclusive():
            self._home.require_space()
            plan = self._matching_plan()
            if plan is None:
                if self.running:
                    progress("stack", "settings or code have changed: restarting")
                    self.stop(progress)
                plan = self._launch(progress)
            self._children().start([p for p in plan.processes if p.group == "server"], progress)
            ensure_databases(self.ports["postgres"], self._credentials().postgres)

    def start_services(self, progress: Progress = silent, names: Sequence[str] | None = None) -> None:
        """Start Dagster, the consumers and the API (or those named); return when all answer.

        Raises FatalError when the servers are not up, or one does not become ready.
        """
        with self.exclusive():
            plan = self._plan()
            if not self.running or plan is None:
                raise FatalError("the servers are not running", "start them first: `riskee up`")
            services = [p for p in plan.processes if p.group == "service" and (names is None or p.name in names)]
            self._children().start(services, progress)

    def stop_services(self, *names: str) -> None:
        """Stop these services, side by side, and wait. Raises SupervisorDownError when the stack is down."""
        with self.exclusive():
            self._children().stop(set(names))

    def stop(self, progress: Progress = silent) -> None:
        """Stop the services, then the servers, then the supervisor. Nothing is left running."""
        with self.exclusive():
            if not self.running:
                return
            try:
                children = self._children()
                services = {process.name for process in service_table(self.ports)}
                everything = {child.name for child in children.supervisor.children()}
                progress("stack", "stopping the services")
                children.stop(services & everything)
                progress("stack", "stopping the servers")
                children.stop(everything - services)
                children.supervisor.shutdown()
            except SupervisorDownError:
                launch.terminate(self._home)
            if not launch.wait_until_ended(self._home, STOP_SECONDS):
                pid = (self._home.run / "guard.pid").read_text()
                raise FatalError(f"the stack (guard pid {pid}) does not stop", f"look into {self._home.logs}")
            progress("stack", "stopped")

    def restart(self, name: str, progress: Progress = silent, while_stopped: Callable[[], None] = lambda: None) -> None:
        """Restart one process and wait until it answers. Raises FatalError for an unknown name.

        `while_stopped` is called between stop and start; the process is started again even where that fails.
        """
        with self.exclusive():
            plan = self._plan()
            chosen = [p for p in plan.processes if p.name == name] if plan and self.running else []
            if not chosen:
                raise FatalError(f"there is no running process {name!r}", "`riskee status` lists them")
            self._children().stop({name})
            try:
                while_stopped()
            finally:
                self._children().start(chosen, progress)

    def status(self) -> list[ProcessStatus]:
        """Every process in starting order; all are STOPPED when the stack is down, none before the first start."""
        plan = self._plan()
        if plan is None:
            return []
        try:
            children = {child.name: child for child in self._supervisor().children()} if self.running else {}
        except SupervisorDownError:
            children = {}
        return [_status(process, children.get(process.name)) for process in plan.processes]

    def _credentials(self) -> Credentials:
        return load_credentials(self._home)

    def _supervisor(self) -> Supervisor:
        return Supervisor(self.ports["supervisor"], self._credentials().supervisor)

    def _children(self) -> Children:
        return Children(self._supervisor(), self.log_path)

    def _plan(self) -> Plan | None:
        """What the current settings ask for, on the ports of the last start."""
        ports = self.ports
        return make_plan(self._home, self._repo_root, ports, self._credentials(), self._postgres) if ports else None

    def _matching_plan(self) -> Plan | None:
        """The plan if the stack runs exactly that."""
        plan = self._plan() if self.running else None
        file = self._home.run / "fingerprint"
        return plan if plan and file.exists() and file.read_text() == plan.fingerprint() else None

    def _launch(self, progress: Progress) -> Plan:
        credentials = self._credentials()
        self._postgres.prepare(self._postgres.identity(), credentials.postgres)
        for folder in data_folders(self._home):
            folder.mkdir(mode=0o700, exist_ok=True)
        choose_store(self._home)
        allocation = allocate(self.ports, requested_ports(os.environ), further=further_predictors(os.environ))
        for name, usual, port in allocation.moved():
            progress(name, f"port {usual} is taken: using {port}")
        plan = make_plan(self._home, self._repo_root, allocation.ports, credentials, self._postgres)
        plan.write()
        write_private(self._home.run / "ports.json", json.dumps(dict(allocation.ports), indent=2))
        write_private(self._home.run / "fingerprint", plan.fingerprint())
        launch.launch(self._home, self._repo_root, allocation)
        self._await_supervisor()
        return plan

    def _await_supervisor(self) -> None:
        deadline = time.monotonic() + SUPERVISOR_SECONDS
        while True:
            try:
                self._supervisor().children()
                return
            except SupervisorDownError as error:
                if not self.running or time.monotonic() > deadline:
                    raise FatalError(
                        f"supervisord did not start: {error.cause}", f"look into {self._home.logs}"
                    ) from error
            time.sleep(POLL_SECONDS)


def _status(process: Process, child: ChildState | None) -> ProcessStatus:
    if child is None:
        return ProcessStatus(process.name, process.group, "STOPPED", None, process.port, 0.0, 0, "")
    up = child.now - child.started_at if child.state == "RUNNING" else 0.0
    return ProcessStatus(
        process.name, process.group, child.state, child.pid or None, process.port, up, child.restarts, child.description
    )
