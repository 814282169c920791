"""The secrets for docker-compose.yml."""

import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

from infra.deployment.identities import NATS_USERS, POSTGRES_ROLES, REDIS_USERS, SENTINEL_USERS
from infra.deployment.secrets import METRICS_TOKEN, PREVIOUS, forget, renew, wanted, write_secrets
from riskee.access.api_keys import parse_key
from tests.conftest import REPOSITORY

_QDRANT_KEYS = {"api_key": "qdrant_api_key", "read_only_api_key": "qdrant_read_key"}


def test_each_is_made_once_and_differs(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    assert set(write_secrets(folder)) == set(wanted())
    first = {file.name: file.read_text() for file in folder.iterdir()}
    assert len({first[name] for name in wanted()}) == len(wanted())
    assert min(len(first[name]) for name in wanted()) >= 43
    assert write_secrets(folder) == []
    assert {file.name: file.read_text() for file in folder.iterdir()} == first


def test_one_that_is_removed_is_made_anew_with_what_is_made_of_it(tmp_path: Path) -> None:
    write_secrets(tmp_path)
    before = (tmp_path / "redis_users.acl").read_text()
    (tmp_path / "redis_api").unlink()
    assert write_secrets(tmp_path) == ["redis_api"]
    after = (tmp_path / "redis_users.acl").read_text()
    assert after != before
    assert f"#{sha256((tmp_path / 'redis_api').read_bytes()).hexdigest()}" in after


@pytest.mark.parametrize("name", PREVIOUS)
def test_the_one_before_is_remembered_until_it_is_forgotten(tmp_path: Path, name: str) -> None:
    write_secrets(tmp_path)
    first = (tmp_path / name).read_text()
    assert (tmp_path / PREVIOUS[name]).read_text() == first
    renew(tmp_path, name)
    second = (tmp_path / name).read_text()
    assert second != first
    assert (tmp_path / PREVIOUS[name]).read_text() == first
    with pytest.raises(ValueError, match=f"--forget {name} first"):
        renew(tmp_path, name)
    assert (tmp_path / name).read_text() == second, "a third would leave nobody who knows the first"
    forget(tmp_path, name)
    assert (tmp_path / PREVIOUS[name]).read_text() == second
    renew(tmp_path, name)


def test_what_is_no_secret_is_neither_renewed_nor_forgotten(tmp_path: Path) -> None:
    write_secrets(tmp_path)
    with pytest.raises(ValueError, match="no secret redis_users"):
        renew(tmp_path, "redis_users.acl")
    with pytest.raises(ValueError, match="only of"):
        forget(tmp_path, "redis_api")


def test_renewing_makes_what_is_made_of_it(tmp_path: Path) -> None:
    write_secrets(tmp_path)
    renew(tmp_path, "nats_api")
    assert (tmp_path / "nats_api").read_text() in (tmp_path / "nats_users.conf").read_text()


def test_only_the_folders_owner_comes_to_them(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    write_secrets(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o444}


def test_the_metrics_token_is_a_key_of_the_api(tmp_path: Path) -> None:
    write_secrets(tmp_path)
    assert parse_key((tmp_path / METRICS_TOKEN).read_text()) is not None


def test_every_user_that_a_server_knows_has_a_secret_and_none_is_left_open(tmp_path: Path) -> None:
    write_secrets(tmp_path)
    acl = (tmp_path / "redis_users.acl").read_text()
    assert "#@" not in acl
    assert re.findall(r"(?m)^user (\w+) ", acl) == ["default", *REDIS_USERS]
    sentinels = (tmp_path / "redis_sentinels.acl").read_text()
    assert "#@" not in sentinels
    assert re.findall(r"(?m)^user (\w+) ", sentinels) == ["default", *SENTINEL_USERS]
    assert "nopass" not in acl + sentinels
    assert "user default off\n" in acl
    assert "user default off\n" in sentinels
    nats = (REPOSITORY / "infra" / "nats" / "nats.conf").read_text()
    assert re.findall(r"user: (\w+), password: \$NATS_(\w+)", nats) == [(user, user.upper()) for user in NATS_USERS]
    roles = (REPOSITORY / "infra" / "postgres" / "roles.sql").read_text()
    made = re.search(r"ARRAY\[(.*?)\]", roles, re.DOTALL)
    assert made is not None
    assert tuple(re.findall(r"'(\w+)'", made[1])) == POSTGRES_ROLES
    hba = (REPOSITORY / "infra" / "postgres" / "pg_hba.conf").read_text()
    assert all(re.search(rf"[ ,]{role}[ ,]", hba) for role in POSTGRES_ROLES)
    assert not re.search(r"\b(trust|md5|password|0\.0\.0\.0/0)\b", re.sub(r"(?m)^#.*$", "", hba))


def test_servers_that_log_in_at_others_have_the_password_of_now(tmp_path: Path) -> None:
    write_secrets(tmp_path)
    for user, file in (("sentinel", "redis_sentinel.conf"), ("replica", "redis_replica.conf")):
        renew(tmp_path, f"redis_{user}")
        password = (tmp_path / f"redis_{user}").read_text()
        text = (tmp_path / file).read_text()
        assert password in text
        assert "@" not in text
        assert sha256(password.encode()).hexdigest() in (tmp_path / "redis_users.acl").read_text()


def test_qdrant_is_told_a_key_for_everything_and_one_for_reading(tmp_path: Path) -> None:
    write_secrets(tmp_path)
    told = yaml.safe_load((tmp_path / "qdrant.yaml").read_text())["service"]
    keys = {key: (tmp_path / name).read_text() for key, name in _QDRANT_KEYS.items()}
    assert told == keys
    assert len(set(keys.values())) == 2


def test_it_needs_nothing_but_python(tmp_path: Path) -> None:
    """Whoever has Docker need not install Riskee."""
    command = [sys.executable, "-S", "-m", "infra.deployment.secrets", str(tmp_path / "secrets")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "secrets made" in done.stdout
