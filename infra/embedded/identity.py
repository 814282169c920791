"""As whom PostgreSQL runs. It refuses root, and a user whom the system cannot name (as some containers have)."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from riskee.errors import FatalError

# Accounts that may be there for PostgreSQL, or in every system; a namespace needs only the number of one.
ACCOUNTS = ("postgres", "nobody")
NAMESPACE_ACCOUNTS = ("daemon", "bin", "nobody")


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


def postgres_identity(data: Path, parent: Path, binary: Path) -> Identity:
    """Whom to run PostgreSQL as. `data` is its folder (maybe not there yet) in `parent`.

    Raises FatalError when there is no way to run it.
    """
    uid = os.geteuid()
    if uid != 0 and _has_name(uid):
        return Identity((), uid, os.getegid())
    # An existing cluster keeps the owner it was made with.
    owner = data.stat().st_uid if data.exists() else None
    if uid == 0 and owner != 0:
        user = _other_user(owner)
        if user is not None and _may_reach(user, (parent, binary)):
            return user
        if owner is not None:
            raise FatalError(
                f"{data} belongs to user {owner}, who cannot reach it or {binary}",
                f"let others pass the folders on the way (chmod o+x), or `chown -R root {data}`",
            )
    namespace = _namespace(uid)
    if namespace is not None:
        return namespace
    raise FatalError(
        f"PostgreSQL cannot run as user {uid}, no other user may pass {parent}, and user namespaces are switched off",
        "run as an ordinary user, or set RISKEE_HOME to a folder that others may pass, such as /var/lib/riskee",
    )


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _account(names: tuple[str, ...]) -> pwd.struct_passwd | None:
    for name in names:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _other_user(owner: int | None) -> Identity | None:
    """The user that root hands PostgreSQL to."""
    try:
        account = _account(ACCOUNTS) if owner is None else pwd.getpwuid(owner)
    except KeyError:
        return None
    if account is None:
        return None
    switch = ("setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", "--")
    return Identity(switch, account.pw_uid, account.pw_gid)


def _may_reach(identity: Identity, paths: tuple[Path, ...]) -> bool:
    """Whether the user can pass every folder on the way. Asks the kernel: access lists and mounts count too."""
    checks = [f"{path}/." if path.is_dir() else str(path) for path in paths]
    return all(_succeeds([*identity.prefix, "test", "-x", check]) for check in checks)


def _namespace(uid: int) -> Identity | None:
    """A user namespace in which this user bears another number. Files keep their owner outside of it."""
    account = _account(NAMESPACE_ACCOUNTS)
    if account is None or shutil.which("unshare") is None:
        return None
    prefix = ("unshare", "--user", f"--map-user={account.pw_uid}", f"--map-group={account.pw_gid}", "--")
    return Identity(prefix, uid, os.getegid()) if _succeeds([*prefix, "true"]) else None


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
