"""Whom the job `migrate` is to the database."""

from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from infra.deployment.migrate import superusers


def test_the_superuser_goes_where_the_owner_goes() -> None:
    """To several hosts as to one, and by the same certificate."""
    options = "host=a:5432&host=b:5433&target_session_attrs=read-write&sslrootcert=/run/secrets/ca"
    owner = SecretStr(f"postgresql+psycopg://riskee_migrate:its-own@/riskee?{options}")
    assert conninfo_to_dict(superusers(owner, "an/other's")) == {
        "user": "postgres",
        "password": "an/other's",
        "dbname": "postgres",
        "host": "a,b",
        "port": "5432,5433",
        "target_session_attrs": "read-write",
        "sslrootcert": "/run/secrets/ca",
    }
