"""Tokens: the algorithm of the settings and no other, required claims, keys by id."""

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from pydantic import SecretStr, ValidationError

from riskee.access.grants import Grant
from riskee.errors import FatalError
from riskee.settings import JwtSettings
from serving.api.security.tokens import BadTokenError, Tokens

NOW = time.time()
# PyJWT reads the machine's clock: far enough that no run of the tests is as slow.
DAY = 86_400
FIRST, SECOND = "a" * 40, "b" * 40


class Unix:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def settings(**changed: Any) -> JwtSettings:
    return JwtSettings(**{"keys": {"one": SecretStr(FIRST), "two": SecretStr(SECOND)}, "issuer": "us", **changed})


def signed(key: Any = FIRST, algorithm: str = "HS256", kid: object = "one", **changed: Any) -> str:
    said = {"sub": "me", "iss": "us", "aud": "riskee", "exp": NOW + DAY, "scope": "predictions:read other:thing"}
    claims = {name: value for name, value in {**said, **changed}.items() if value is not None}
    return jwt.encode(claims, key, algorithm, headers={"kid": kid})


def test_a_good_token_names_its_caller_and_what_of_its_scopes_is_known() -> None:
    caller = Tokens(settings()).caller(signed())
    assert (caller.id, caller.kind, [*caller.scopes]) == ("me", "jwt", [Grant.PREDICTIONS_READ])


def test_keys_are_chosen_by_id() -> None:
    assert Tokens(settings()).caller(signed(SECOND, kid="two")).id == "me"
    with pytest.raises(BadTokenError, match="signature"):
        Tokens(settings()).caller(signed(SECOND, kid="one"))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"exp": None}, "lacks"),
        ({"exp": NOW - 60}, "expired"),
        ({"nbf": NOW + DAY}, "not valid yet"),
        ({"iss": "them"}, "iss"),
        ({"iss": None}, "lacks"),
        ({"aud": "them"}, "aud"),
        ({"aud": None}, "lacks"),
        ({"sub": None}, "lacks"),
        ({"sub": "a" * 129}, "longer"),
        ({"kid": "three"}, "kid"),
        ({"kid": "../one"}, "kid"),
    ],
)
def test_what_is_refused_and_why(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(BadTokenError, match=why):
        Tokens(settings()).caller(signed(**changed))


@pytest.mark.parametrize(
    "token", ["", "a.b.c", "é", "..", "e30.e30.", "eyJhbGciOiJub25lIiwia2lkIjoib25lIn0.e30.", "[]"]
)
def test_what_is_no_token(token: str) -> None:
    with pytest.raises(BadTokenError):
        Tokens(settings()).caller(token)


def test_the_leeway_is_bounded() -> None:
    assert Tokens(settings(leeway_seconds=20)).caller(signed(exp=time.time() - 1)).id == "me"
    with pytest.raises(ValidationError):
        settings(leeway_seconds=3600)


def test_a_checked_token_is_remembered_until_it_expires() -> None:
    unix, token = Unix(), signed()
    tokens = Tokens(settings(leeway_seconds=0), unix)
    first = tokens.caller(token)
    assert tokens.caller(token) is first
    unix.now = NOW + DAY + 1
    # PyJWT reads the machine's clock, by which the token is still good: it was checked anew.
    assert tokens.caller(token) is not first


def _pem(key: Any) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return str(key.public_key().public_bytes(serialization.Encoding.PEM, form).decode())


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
def test_asymmetric_keys(algorithm: Any) -> None:
    rsa_key, ed_key = rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()
    key, other = (rsa_key, ed_key) if algorithm == "RS256" else (ed_key, rsa_key)
    tokens = Tokens(settings(algorithm=algorithm, keys={"one": SecretStr(_pem(key))}))
    assert tokens.caller(signed(key, algorithm)).id == "me"
    with pytest.raises(BadTokenError):
        tokens.caller(signed(other, "EdDSA" if algorithm == "RS256" else "RS256"))
    # The public key is no secret: a token signed with it as if it were one proves nothing.
    forged = jwt.PyJWT().encode({"sub": "me"}, "x" * 64, "HS256", headers={"kid": "one"})
    with pytest.raises(BadTokenError, match="alg"):
        tokens.caller(forged)


def test_keys_that_cannot_be_right_are_refused_at_the_start_and_not_told() -> None:
    with pytest.raises(ValidationError, match="shorter") as short:
        settings(keys={"one": SecretStr("too-short-planted")})
    assert "too-short-planted" not in str(short.value)
    with pytest.raises(ValidationError, match="issuer"):
        JwtSettings(keys={"one": SecretStr(FIRST)})
    with pytest.raises(ValidationError):
        settings(algorithm="none")
    with pytest.raises(FatalError, match="key one is none for RS256") as wrong:
        Tokens(settings(algorithm="RS256", keys={"one": SecretStr("planted-no-pem")}))
    assert "planted-no-pem" not in str(wrong.value)


def test_without_keys_no_token_is_accepted() -> None:
    tokens = Tokens(JwtSettings())
    assert not tokens.accepted
    with pytest.raises(BadTokenError):
        tokens.caller(signed())
