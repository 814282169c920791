"""Headers that make browsers careful, and those that tell what is left of a limit."""

import re
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256

from serving.api.security.limiter import Allowance

_Headers = tuple[tuple[bytes, bytes], ...]

POLICY = "content-security-policy"
_ALWAYS: _Headers = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
# Only what the page brings itself, and no script or style within it.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_DATA_POLICY = b"default-src 'none'; frame-ancestors 'none'"
_POLICY_NAME = POLICY.encode()
_DATA: _Headers = (*_ALWAYS, (_POLICY_NAME, _DATA_POLICY))
_PAGE: _Headers = (*_ALWAYS, (_POLICY_NAME, _PAGE_POLICY.encode()))
_STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def careful(scheme: str, own: Iterable[tuple[bytes, bytes]], *, page: bool) -> _Headers:
    """What to add to the headers of an answer; HSTS only where the connection is encrypted.

    A page's own policy stands.
    """
    headers = _DATA
    if page:
        headers = _ALWAYS if any(name == _POLICY_NAME for name, _ in own) else _PAGE
    return (*headers, _STRICT_TRANSPORT) if scheme in {"https", "wss"} else headers


def limits(allowance: Allowance) -> _Headers:
    """What is left of the limit that counts, and that the answer is for this credential alone."""
    return (
        (b"vary", b"authorization"),
        (b"ratelimit-limit", b"%d" % allowance.limit),
        (b"ratelimit-remaining", b"%d" % allowance.remaining),
        (b"ratelimit-reset", b"%d" % allowance.reset_seconds),
        (b"ratelimit-policy", b"%d;w=60" % allowance.limit),
    )


def policy_with_scripts_of(html: str) -> str:
    """The policy of a page with scripts and styles within, such as Swagger's: these scripts, by their digest."""
    digests = (b64encode(sha256(script.encode()).digest()).decode() for script in _INLINE.findall(html))
    scripts = " ".join(f"'sha256-{digest}'" for digest in digests)
    policy = _PAGE_POLICY.replace("script-src 'self'", f"script-src 'self' {scripts}")
    return policy.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
