"""JSON Web Tokens: one algorithm, which the settings name and a token never does; PyJWT checks them."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt

from riskee.access.grants import known_grants
from riskee.errors import FatalError
from riskee.settings import JwtSettings
from serving.api.security.caller import Caller

# Checking a signature takes 20 to 100 us; one that was checked stays so until the token expires.
_REMEMBERED = 4096
_LONGEST_SUBJECT = 128


class BadTokenError(Exception):
    """A token that proves nothing. Its text says why, and nothing that the token says."""


@dataclass
class Tokens:
    """Checks tokens against the keys of the settings. The key is chosen by `kid`, so that keys can be rotated."""

    settings: JwtSettings
    unix: Callable[[], float] = time.time
    _checked: OrderedDict[str, Caller] = field(default_factory=OrderedDict)
    _keys: dict[str, Any] = field(default_factory=dict)
    _decoder: jwt.PyJWT = field(default_factory=jwt.PyJWT)

    def __post_init__(self) -> None:
        if not self.settings.keys:
            return
        try:
            algorithm = jwt.get_algorithm_by_name(self.settings.algorithm)
        except NotImplementedError as error:
            raise FatalError(
                f"{self.settings.algorithm} needs the package cryptography", "pip install 'riskee[asymmetric]'"
            ) from error
        for kid, key in self.settings.keys.items():
            try:
                self._keys[kid] = algorithm.prepare_key(key.get_secret_value())
            except (ValueError, TypeError, jwt.PyJWTError):
                # Not chained: the cause may quote the key.
                raise FatalError(
                    f"key {kid} is none for {self.settings.algorithm}", "mend RISKEE_API__JWT__KEYS"
                ) from None

    @property
    def accepted(self) -> bool:
        """Whether there is any key."""
        return bool(self._keys)

    def caller(self, token: str) -> Caller:
        """Who the token speaks of. Raises BadTokenError."""
        known = self._checked.get(token)
        if known is not None:
            if known.expires_at is not None and self.unix() < known.expires_at:
                return known
            del self._checked[token]
        caller = self._check(token)
        self._checked[token] = caller
        if len(self._checked) > _REMEMBERED:
            self._checked.popitem(last=False)
        return caller

    def _check(self, token: str) -> Caller:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = self._keys.get(kid) if isinstance(kid, str) else None
            if key is None:
                raise BadTokenError("the token's `kid` names no key that is known here")
            claims = self._decoder.decode(
                token,
                key,
                algorithms=[self.settings.algorithm],
                audience=self.settings.audience,
                issuer=self.settings.issuer,
                leeway=self.settings.leeway_seconds,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise BadTokenError(_reason(error)) from error
        scope = claims.get("scope", "")
        grants = known_grants(scope.split() if isinstance(scope, str) else ())
        subject = str(claims["sub"])
        if len(subject) > _LONGEST_SUBJECT:
            # Cut short it could be another's.
            raise BadTokenError(f"the token's `sub` is longer than {_LONGEST_SUBJECT} characters")
        return Caller(subject, "jwt", grants, float(claims["exp"]) + self.settings.leeway_seconds)


def _reason(error: jwt.PyJWTError) -> str:
    reasons: dict[type[jwt.PyJWTError], str] = {
        jwt.ExpiredSignatureError: "the token has expired",
        jwt.ImmatureSignatureError: "the token is not valid yet",
        jwt.InvalidIssuerError: "the token's `iss` is another",
        jwt.InvalidAudienceError: "the token's `aud` is another",
        jwt.InvalidAlgorithmError: "the token's `alg` is not the one that is accepted",
        jwt.MissingRequiredClaimError: "the token lacks one of exp, iss, aud, sub",
        jwt.InvalidSignatureError: "the token's signature is wrong",
    }
    return next((text for kind, text in reasons.items() if isinstance(error, kind)), "the token cannot be read")
