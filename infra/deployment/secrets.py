"""Secrets for docker-compose.yml: `python3 -m infra.deployment.secrets [folder]`. Needs nothing but Python.

A secret that is there is kept, so it may be run again after an update. `--renew NAME` makes one anew. Each is a file
of its own, so that a container gets those that it needs. Files that servers read in a format of theirs are written
from the same secrets.

Two are needed beside their successor for a while: a database takes its new password from whoever knows the old one,
and what was hashed with a pepper is known by that pepper alone. They are kept as `<name>_previous` until `--forget
NAME`; where there is nothing to remember, that file holds the secret itself.
"""

import argparse
import json
import secrets
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from infra.deployment.identities import NATS_USERS, POSTGRES_ROLES, REDIS_USERS, SENTINEL_USERS, SUPERUSER

FOLDER = Path("secrets")
REDIS = Path(__file__).parents[1] / "redis"
METRICS_TOKEN = "metrics_token"  # noqa: S105 (the name of a file)
# Given by a person: until then alerts go to an address where nobody listens, and are seen in Alertmanager alone.
ALERT_WEBHOOK = "alert_webhook"
_NOBODY = "http://127.0.0.1:9/nobody-is-told"
# For backups on S3, given by a person too: of what makes them, and of what only looks when the last one was made.
S3, S3_READER = "s3.ini", "s3_reader.ini"
_S3_FORM = """# For backups on S3, in the form of ~/.aws/config:
# [default]
# aws_access_key_id = …
# aws_secret_access_key = …
# region = …
# endpoint_url = …
"""
# For Alpaca's feed and histories, and the keys of an identity provider: {} takes no tokens.
ALPACA, JWT_KEYS = ("alpaca_key_id", "alpaca_secret_key"), "jwt_keys.json"
_NO_KEY = "none-written-here-yet\n"
GIVEN = {
    ALERT_WEBHOOK: _NOBODY, S3: _S3_FORM, S3_READER: _S3_FORM, **dict.fromkeys(ALPACA, _NO_KEY), JWT_KEYS: "{}\n",
}  # fmt: skip
BACKUP_KEY = "backup_key"
PEPPER = "api_key_pepper"
PREVIOUS = {name: f"{name}_previous" for name in (f"postgres_{SUPERUSER}", PEPPER)}


def password() -> str:
    """256 random bits, of characters that need no escape in any address or file."""
    return secrets.token_urlsafe(32)


def api_token() -> str:
    """A key of the API, as `riskee keys create` makes them (riskee/access/api_keys.py)."""
    return f"rk_{secrets.token_hex(6)}_{urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b'=').decode()}"


def backup_key() -> str:
    """32 bytes in base64 (riskee/backup/key.py)."""
    return b64encode(secrets.token_bytes(32)).decode()


def wanted() -> dict[str, Callable[[], str]]:
    """Every secret by the name of its file, and what makes it."""
    names = (
        *(f"postgres_{role}" for role in (SUPERUSER, *POSTGRES_ROLES)),
        *(f"redis_{user}" for user in dict.fromkeys((*REDIS_USERS, *SENTINEL_USERS))),
        *(f"nats_{user}" for user in NATS_USERS),
        "qdrant_api_key",
        "qdrant_read_key",
        PEPPER,
        "grafana_admin_password",
    )
    return {**dict.fromkeys(names, password), METRICS_TOKEN: api_token, BACKUP_KEY: backup_key}


def rendered(values: Mapping[str, str]) -> dict[str, str]:
    """The files that servers read in a format of theirs, by name."""
    nats = "".join(f"NATS_{user.upper()}: {json.dumps(values[f'nats_{user}'])}\n" for user in NATS_USERS)
    exporters = [f"{scheme}://exporter@redis:6379" for scheme in ("redis", "rediss")]
    return {
        "redis_users.acl": _hashed("users.acl", REDIS_USERS, values),
        "redis_sentinels.acl": _hashed("sentinels.acl", SENTINEL_USERS, values),
        # These two must know the password itself: they log in with it.
        "redis_sentinel.conf": (REDIS / "sentinel.conf").read_text().replace("@sentinel@", values["redis_sentinel"]),
        "redis_replica.conf": f"masteruser replica\nmasterauth {values['redis_replica']}\n",
        "nats_users.conf": nats,
        "qdrant.yaml": f"service:\n  api_key: {json.dumps(values['qdrant_api_key'])}\n"
        # explain searches, and Prometheus reads the metrics.
        f"  read_only_api_key: {json.dumps(values['qdrant_read_key'])}\n",
        "redis_exporter.json": json.dumps(dict.fromkeys(exporters, values["redis_exporter"])) + "\n",
    }


def _hashed(template: str, users: Iterable[str], values: Mapping[str, str]) -> str:
    """A list of users with the hashes of their passwords put in."""
    text = (REDIS / template).read_text()
    for user in users:
        text = text.replace(f"@{user}@", sha256(values[f"redis_{user}"].encode()).hexdigest())
    return text


def write_secrets(folder: Path) -> list[str]:
    """Make what is missing; gives the names of what was made.

    The folder is the owner's alone. Its files can be read by every user, because a container's user is not the one of
    this machine that owns them; only the folder keeps others from them.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    values, made = {}, []
    for name, make in wanted().items():
        file = folder / name
        if not file.exists():
            _write(file, make())
            made.append(name)
        values[name] = file.read_text().strip()
    for name, previous in PREVIOUS.items():
        if not (folder / previous).exists():
            _write(folder / previous, values[name])
    for name, text in rendered(values).items():
        _write(folder / name, text)
    for name, text in GIVEN.items():
        if not (folder / name).exists():
            _write(folder / name, text)
    return made


def renew(folder: Path, name: str) -> None:
    """Make a secret anew, with all that is made of it. Raises ValueError where that is not to be done."""
    if name not in wanted():
        raise ValueError(f"there is no secret {name}: {', '.join(wanted())}")
    file = folder / name
    if name in PREVIOUS and file.exists():
        previous = folder / PREVIOUS[name]
        if previous.exists() and previous.read_text() != file.read_text():
            raise ValueError(f"the {name} before this one is still remembered: --forget {name} first")
        _write(previous, file.read_text())
    file.unlink(missing_ok=True)
    write_secrets(folder)


def forget(folder: Path, name: str) -> None:
    """Remember what was before a secret no more. Raises ValueError for one of which nothing is remembered."""
    if name not in PREVIOUS:
        raise ValueError(f"only of {', '.join(PREVIOUS)} the one before is remembered")
    _write(folder / PREVIOUS[name], (folder / name).read_text())


def _write(file: Path, text: str) -> None:
    temporary = file.with_name(f".{file.name}.tmp")
    temporary.write_text(text)
    temporary.chmod(0o444)
    temporary.replace(file)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python3 -m infra.deployment.secrets", description="Make what is missing.")
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    change = parser.add_mutually_exclusive_group()
    change.add_argument("--renew", metavar="NAME", help="make this one anew")
    change.add_argument("--forget", metavar="NAME", help="remember what was before this one no more")
    given = parser.parse_args()
    made = write_secrets(given.folder)
    print(f"{given.folder}: {len(made)} secrets made, {len(wanted()) - len(made)} were there")  # noqa: T201
    try:
        if given.renew:
            renew(given.folder, given.renew)
        if given.forget:
            forget(given.folder, given.forget)
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
