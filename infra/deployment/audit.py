"""Known vulnerabilities of the locked packages: `make audit`. pip-audit asks a service for them, in the network.

Without the network nothing is known, and that is said and is no success: exit code 2. Exit code 1: something was found.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCKS = ("runtime", "extras", "dev", "vendors")
_FOUND, _UNKNOWN = 1, 2
# How pip-audit, and the library below it, say that they did not reach the service.
_AWAY = ("ConnectionError", "ServiceError", "Max retries exceeded", "Name or service not known", "timed out")
_VULNERABLE = "known vulnerabilit"


def audit(lock: str) -> int:
    """Audit one lock: 0 where nothing is known of it, 1 where something is, 2 where the service did not answer."""
    command = [
        sys.executable, "-m", "pip_audit", "--requirement", str(ROOT / "requirements" / f"{lock}.txt"), "--no-deps",
        "--disable-pip", "--require-hashes", "--vulnerability-service", "osv", "--progress-spinner", "off",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (its arguments are ours)
    return tell(lock, done.returncode, done.stdout + done.stderr)


def tell(lock: str, returned: int, said: str) -> int:
    """Say what came of it, and judge it."""
    last = said.strip().splitlines()[-1:] or ["nothing was said"]
    if returned == 0:
        print(f"{lock}: {last[0]}")  # noqa: T201
        return 0
    if _VULNERABLE not in said and any(sign in said for sign in _AWAY):
        print(f"{lock}: NOT CHECKED, the service of vulnerabilities does not answer: {last[0]}")  # noqa: T201
        return _UNKNOWN
    print(f"{lock}:\n{said}")  # noqa: T201
    return _FOUND


def main() -> int:
    """The command: the gravest of all results, where a finding is graver than silence."""
    results = {audit(lock) for lock in LOCKS}
    return _FOUND if _FOUND in results else max(results)


if __name__ == "__main__":
    sys.exit(main())
