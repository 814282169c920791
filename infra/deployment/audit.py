"""Known vulnerabilities of the locked packages: `make audit`. pip-audit asks a service for them, in the network.

One that has a fix is a failure: exit code 1. One that has none yet is told. Without the network nothing is known, and
that is said and is no success: exit code 2.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
LOCKS = ("runtime", "extras", "cluster", "dev", "vendors")
_FOUND, _UNKNOWN = 1, 2
# How pip-audit, and the library below it, say that they did not reach the service.
_AWAY = ("ConnectionError", "ServiceError", "Max retries exceeded", "Name or service not known", "timed out")


class Vulnerability(msgspec.Struct, frozen=True):
    """One that is known, and the versions that do not have it."""

    id: str
    fix_versions: list[str] = []


class Package(msgspec.Struct, frozen=True):
    """One that was asked for, or why it was not."""

    name: str
    version: str = ""
    vulns: list[Vulnerability] = []
    skip_reason: str = ""


class Report(msgspec.Struct, frozen=True):
    """What pip-audit writes as JSON."""

    dependencies: list[Package]


def audit(lock: str) -> int:
    """Audit one lock: 0 where nothing is to be done, 1 where something is, 2 where the service did not answer."""
    command = [
        sys.executable, "-m", "pip_audit", "--requirement", str(ROOT / "requirements" / f"{lock}.txt"), "--no-deps",
        "--disable-pip", "--require-hashes", "--vulnerability-service", "osv", "--progress-spinner", "off",
        "--format", "json",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (its arguments are ours)
    return tell(lock, done.stdout, done.stderr)


def tell(lock: str, reported: str, said: str) -> int:
    """Say what came of it, and judge it."""
    try:
        report = msgspec.json.decode(reported, type=Report)
    except msgspec.MsgspecError:
        last = said.strip().splitlines()[-1:] or ["nothing was said"]
        if any(sign in said for sign in _AWAY):
            print(f"{lock}: NOT CHECKED, the service of vulnerabilities does not answer: {last[0]}")  # noqa: T201
            return _UNKNOWN
        print(f"{lock}: pip-audit failed: {last[0]}")  # noqa: T201
        return _FOUND
    for line in _lines(report):
        print(f"{lock}: {line}")  # noqa: T201
    return _FOUND if any(each.fix_versions for package in report.dependencies for each in package.vulns) else 0


def _lines(report: Report) -> Iterator[str]:
    for package in report.dependencies:
        for each in package.vulns:
            mend = f"fixed in {', '.join(each.fix_versions)}" if each.fix_versions else "not fixed by any version yet"
            yield f"{package.name} {package.version} has {each.id}, {mend}"
        if package.skip_reason:
            yield f"{package.name} was not looked at: {package.skip_reason}"
    yield f"{len(report.dependencies)} packages looked at"


def main() -> int:
    """The command: the gravest of all results, where a finding is graver than silence."""
    results: list[int] = []
    for lock in LOCKS:
        results.append(audit(lock))
        if results[-1] == _UNKNOWN:  # it will not answer for the others either
            break
    return _FOUND if _FOUND in results else max(results)


if __name__ == "__main__":
    sys.exit(main())
