"""Run Prometheus, Alertmanager and the exporters beside the running stack, until interrupted. `make monitor`."""

import signal
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
    chosen = programs(settings, folder, free_ports())
    lay_out(folder, services, chosen)
    with running(chosen, folder) as processes:
        for program in chosen:
            sys.stdout.write(f"{program.job:12} http://localhost:{program.port}\n")
        sys.stdout.flush()
        while True:
            time.sleep(1)
            require_alive(processes, folder)


if __name__ == "__main__":
    # To be asked to end is to be interrupted: the programs end too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main()
    except RiskeeError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
