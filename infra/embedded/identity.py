"""As whom PostgreSQL runs: it refuses root, so root hands it to another user or to a user namespace."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from riskee.errors import FatalError

# Any id but 0: only PostgreSQL looks at it. Files keep their owner outside of the namespace.
NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")


@dataclass(frozen=True)
class Identity:
    """A command's prefix, and the owner of the files it may write."""

    prefix: tuple[str, ...]
    uid: int
    gid: int

    def own(self, path: Path) -> None:
        """Give the file or folder to this user."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)


def _user(account: pwd.struct_passwd) -> Identity:
    switch = ("setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", "--")
    return Identity(switch, account.pw_uid, account.pw_gid)


def _may_reach(identity: Identity, paths: tuple[Path, ...]) -> bool:
    """Whether the user can pass every folder on the way. Asks the kernel: access lists and mounts count too."""
    checks = [f"{path}/." if path.is_dir() else str(path) for path in paths]
    return all(
        subprocess.run([*identity.prefix, "test", "-x", check], check=False, capture_output=True).returncode == 0
        for check in checks
    )


def _account() -> pwd.struct_passwd | None:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _namespace_works() -> bool:
    return shutil.which("unshare") is not None and (
        subprocess.run([*NAMESPACE, "true"], check=False, capture_output=True).returncode == 0
    )


def postgres_identity(data: Path, parent: Path, binary: Path) -> Identity:
    """Whom to run PostgreSQL as. `data` is its folder (maybe not there yet) in `parent`.

    Raises FatalError when root has no way to run it.
    """
    me = Identity((), os.geteuid(), os.getegid())
    if me.uid != 0:
        return me
    namespace = Identity(NAMESPACE, 0, 0)
    # An existing cluster keeps the owner it was made with.
    owner = data.stat().st_uid if data.exists() else None
    account = _account() if owner is None else (pwd.getpwuid(owner) if owner != 0 else None)
    if account is not None:
        user = _user(account)
        if _may_reach(user, (parent, binary)):
            return user
        if owner is not None:
            raise FatalError(
                f"{data} belongs to {account.pw_name}, who cannot reach it any more",
                f"let others pass its parent folders (chmod o+x), or `chown -R root {data}`",
            )
    if _namespace_works():
        return namespace
    raise FatalError(
        f"PostgreSQL refuses to run as root, no other user may pass {parent}, and user namespaces are switched off",
        "run as another user, or set RISKEE_HOME to a folder that others may pass, such as /var/lib/riskee",
    )
