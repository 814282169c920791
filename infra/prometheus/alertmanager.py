"""How Alertmanager is started. Debian's reads its templates from /usr/share; unpacked they are beside it."""

import shutil
import subprocess
from pathlib import Path

from infra.prometheus import tools

# In a mount namespace of its own, where the unpacked folder is /usr/share. No root is needed for that.
_NAMESPACE = ("unshare", "--map-root-user", "--mount", "sh", "-c", 'mount --bind "$0" /usr/share && exec "$@"')


def command(home: Path) -> tuple[str, ...] | None:
    """What starts it, to be followed by its arguments; None where it is missing, or unpacked where the kernel lets
    nobody make a namespace."""
    found = tools.find("prometheus-alertmanager", home)
    if found is None:
        return None
    share = found.parents[1] / "share"
    if share == Path("/usr/share") or not (share / "prometheus" / "alertmanager").exists():
        return (str(found),)
    prefix = (*_NAMESPACE, str(share))
    return (*prefix, str(found)) if _allowed(prefix) else None


def _allowed(prefix: tuple[str, ...]) -> bool:
    if shutil.which(prefix[0]) is None:
        return False
    return subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode == 0  # noqa: S603
