"""Taking credentials out of text before anybody sees it: the last of several precautions, for logs."""

import re

_HIDDEN = "***"
# A cheap look first: most lines have nothing that could be one.
_SUSPICIOUS = re.compile(r"rk_|eyJ|[Bb]earer|://[^/\s\"]*@")
_PATTERNS = (
    # an API key: what comes before its secret is its name, and may stay
    (re.compile(r"(rk_[0-9a-f]{4,32}_)[A-Za-z0-9_\-]+"), rf"\1{_HIDDEN}"),
    # a JSON Web Token, whole or without its signature
    (re.compile(r"eyJ[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]*)*"), f"eyJ{_HIDDEN}"),
    # any other bearer token, in a header or as a WebSocket's subprotocol
    (re.compile(r"((?i:bearer)[ .])[A-Za-z0-9_\-.~+/]{8,}=*"), rf"\1{_HIDDEN}"),
    # the password in an address
    (re.compile(r"(://[^/\s:@\"]*:)[^/\s@\"]+@"), rf"\1{_HIDDEN}@"),
)


def redacted(text: str) -> str:
    """The text, with stars for what looks like a credential."""
    if not _SUSPICIOUS.search(text):
        return text
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text
