"""Whom the clients of the servers trust. That they connect so is in tests/integration/deployment/test_tls.py."""

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from riskee.certificates import AUTHORITY, make_certificates
from riskee.errors import FatalError
from riskee.settings import RedisSettings
from riskee.storage.trust import redis_trust, trusting


def test_an_authority_is_trusted_besides_the_systems(tmp_path: Path) -> None:
    make_certificates(tmp_path / "tls", datetime.now(UTC), servers=())
    assert trusting(None) is None
    context = trusting(tmp_path / "tls" / f"{AUTHORITY}.pem")
    assert context is not None
    before = ssl.create_default_context().cert_store_stats()["x509_ca"]
    assert context.cert_store_stats()["x509_ca"] == before + 1


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_without_a_certificate_is_said_at_once(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "authority.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(FatalError, match=r"authority\.pem cannot be trusted"):
        trusting(file)
    with pytest.raises(FatalError, match="cannot be trusted"):
        redis_trust(RedisSettings(url=SecretStr("rediss://redis:6379"), authority=file))
    assert redis_trust(RedisSettings(url=SecretStr("redis://redis:6379"), authority=file)) == {}
