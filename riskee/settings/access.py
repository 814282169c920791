"""The branches of the tree of settings for who may call the API, and how often."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from riskee.settings.section import Section

# RFC 7518, 3.2: a key for HS256 is at least as long as its digest.
_SHARED_SECRET_BYTES = 32


class JwtSettings(Section):
    """Tokens of an identity provider. They are accepted where there is at least one key."""

    algorithm: Literal["HS256", "RS256", "EdDSA"] = Field(
        "HS256", description="the one algorithm that is accepted; RS256 and EdDSA need the extra `asymmetric`"
    )
    keys: dict[str, SecretStr] = Field(
        {}, description='JSON of key ids and keys, {"2026-11": "…"}: a secret for HS256, else a public key (PEM)'
    )
    issuer: str = Field("", description="`iss` that a token must have")
    audience: str = Field("riskee", min_length=1, description="`aud` that a token must have")
    leeway_seconds: float = Field(10.0, ge=0, le=60, description="how far the clocks may be apart")

    @model_validator(mode="after")
    def _require_proof(self) -> Self:
        if self.keys and not self.issuer:
            raise ValueError("`keys` need an `issuer`")
        if self.algorithm == "HS256":
            short = [kid for kid, key in self.keys.items() if len(key.get_secret_value()) < _SHARED_SECRET_BYTES]
            if short:
                raise ValueError(f"keys {', '.join(short)} are shorter than {_SHARED_SECRET_BYTES} characters")
        return self


class TlsSettings(Section):
    """TLS of the API itself. Its clients trust what SSL_CERT_FILE names, else the system."""

    certificate: Path | None = Field(None, description="file of its certificate and chain (PEM); with it, https only")
    key: Path | None = Field(None, description="file of the certificate's key (PEM)")

    @model_validator(mode="after")
    def _require_both(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("`certificate` and `key` go together")
        return self


class LimitSettings(Section):
    """How often one may ask. Who needs no credential, on this machine, is not limited."""

    key_per_minute: int = Field(6000, ge=1, description="requests of one key, or of one subject of tokens")
    address_per_minute: int = Field(6000, ge=1, description="requests from one address (IPv6: one /64)")
    burst_seconds: float = Field(10.0, gt=0, le=60, description="seconds' worth of requests that may come at once")


class AuditSettings(Section):
    """Where the API writes who did what and who was refused."""

    path: str = Field(
        "",
        description="a file for these lines alone, below the home unless absolute, of one process of the API; empty: "
        "on standard output with its other lines. `riskee up` has it write to `logs/audit.log`",
    )
    file_bytes: int = Field(20_000_000, ge=10_000, description="the file is full then, and a new one begun")
    full_files: int = Field(10, ge=1, description="full files that are kept beside the one that is written")


class GuardSettings(Section):
    """What the API lets in."""

    require_credentials: bool = Field(
        False, description="ask for a key or token also on loopback of the embedded profile; elsewhere always"
    )
    key_pepper: SecretStr | None = Field(
        None, description="secret that goes into the hashes of keys: with it, writing to the database makes no key"
    )
    key_pepper_previous: SecretStr | None = Field(
        None, description="the pepper before: keys that were made with it are good as long as it is given"
    )
    body_bytes: int = Field(256 * 1024, ge=1024, description="longest body of a request")
    body_seconds: float = Field(10.0, gt=0, description="longest time to send a body")
    head_bytes: int = Field(16 * 1024, ge=1024, description="longest request line and headers")
    head_seconds: float = Field(10.0, gt=0, description="longest time to send them")
    request_seconds: float = Field(30.0, gt=0, description="longest time to answer, where no wait is asked for")
