"""Certificates for development: an authority of one's own, and a certificate of it for each server.

For production take those of your own authority; the product only reads files.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from riskee.errors import FatalError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

AUTHORITY = "authority"
# The servers of docker-compose.yml, and names by which they are reached from the machine itself.
SERVERS = ("timescaledb", "redis", "nats", "qdrant", "api")
LOCAL = ("localhost", "127.0.0.1")
_LIFE = timedelta(days=90)
# Clocks differ.
_BEFORE = timedelta(minutes=5)


def make_certificates(folder: Path, now: datetime, servers: Sequence[str] = SERVERS) -> list[Path]:
    """Write `authority.pem`, and `<server>.pem` with `<server>.key` for each; good for 90 days. Gives the files.

    The authority's key is written nowhere: whoever makes them again makes a new authority. Raises FatalError where the
    library is missing, and where there are certificates already.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError as error:
        raise FatalError("the package cryptography is missing", "pip install 'riskee[asymmetric]'") from error
    if (folder / f"{AUTHORITY}.pem").exists():
        raise FatalError(f"{folder} has certificates already", "remove the folder to make new ones")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("Riskee development authority", (), authority_key, now, None)
    files = [_write(folder / f"{AUTHORITY}.pem", _pem(authority))]
    for server in servers:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(server, (server, *LOCAL), key, now, (authority, authority_key))
        files.append(_write(folder / f"{server}.pem", _pem(certificate)))
        files.append(_write(folder / f"{server}.key", _key_pem(key)))
    return files


def _certificate(
    name: str,
    addresses: Sequence[str],
    key: "EllipticCurvePrivateKey",
    now: datetime,
    issuer: "tuple[x509.Certificate, EllipticCurvePrivateKey] | None",
) -> "x509.Certificate":
    """A certificate of the issuer; without one, an authority that signs itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import NameOID

    authority = issuer is None
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + _LIFE)
        .add_extension(
            x509.BasicConstraints(ca=issuer is None, path_length=0 if issuer is None else None), critical=True
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_usage(signs=authority), critical=True)
    )
    if issuer is not None:
        names = x509.SubjectAlternativeName(list(_names(addresses)))
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[1].public_key())
        builder = builder.add_extension(names, critical=False).add_extension(identifier, critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256())


def _usage(*, signs: bool) -> "x509.KeyUsage":
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _names(addresses: Sequence[str]) -> "Iterator[x509.GeneralName]":
    from cryptography import x509

    for address in addresses:
        try:
            yield x509.IPAddress(ipaddress.ip_address(address))
        except ValueError:
            yield x509.DNSName(address)


def _pem(certificate: "x509.Certificate") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: "EllipticCurvePrivateKey") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(file: Path, content: bytes) -> Path:
    """The folder is its owner's alone; its files can be read by the user that a container has."""
    file.write_bytes(content)
    file.chmod(0o444)
    return file
