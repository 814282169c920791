"""Certificates for development."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from riskee.certificates import SERVERS, make_certificates
from riskee.errors import FatalError

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def certificate(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def test_each_server_has_one_of_the_authority_for_its_names(tmp_path: Path) -> None:
    files = make_certificates(tmp_path / "tls", NOW)
    assert sorted(files) == sorted((tmp_path / "tls").iterdir())
    authority = certificate(tmp_path / "tls" / "authority.pem")
    for server in SERVERS:
        own = certificate(tmp_path / "tls" / f"{server}.pem")
        own.verify_directly_issued_by(authority)
        names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [server, "localhost"]
        assert not own.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert own.not_valid_before_utc <= NOW < own.not_valid_after_utc <= NOW + timedelta(days=90)
        key = load_pem_private_key((tmp_path / "tls" / f"{server}.key").read_bytes(), None)
        assert key.public_key() == own.public_key()


def test_those_that_are_there_are_kept_and_the_authoritys_key_is_nowhere(tmp_path: Path) -> None:
    make_certificates(tmp_path / "tls", NOW)
    with pytest.raises(FatalError, match="certificates already"):
        make_certificates(tmp_path / "tls", NOW)
    assert not (tmp_path / "tls" / "authority.key").exists()
    assert (tmp_path / "tls").stat().st_mode & 0o777 == 0o700
