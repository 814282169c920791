"""Run Prometheus, Alertmanager and the exporters beside the running stack, until interrupted. `make monitor`."""

import sys
import time
from pathlib import Path

from infra.embedded.processes import consumers_of
from infra.embedded.stack import Stack
from infra.prometheus.native import free_ports, lay_out, programs, require_alive, running
from riskee.errors import FatalError, RiskeeError
from riskee.settings import load_settings


def main() -> None:
    """Start them, say where, and watch. Raises FatalError where the stack is down or a program ends."""
    settings = load_settings()
    stack = Stack(settings.home, Path.cwd())
    if not stack.running:
        raise FatalError("the stack is not running", "`make up` starts it")
    folder = stack.home / "run" / "prometheus"
    folder.mkdir(parents=True, exist_ok=True)
    services = {name: stack.ports[name] for name in (*consumers_of(stack.ports), "api")}
    ports = free_ports()
    lay_out(folder, services, ports)
    with running(programs(settings, folder, ports), folder) as processes:
        sys.stdout.write(
            f"Prometheus http://localhost:{ports['prometheus']}, Alertmanager http://localhost:{ports['alertmanager']}\n"
        )
        sys.stdout.flush()
        while True:
            time.sleep(1)
            require_alive(processes, folder)


if __name__ == "__main__":
    try:
        main()
    except RiskeeError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
