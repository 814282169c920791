"""`python -m infra.deployment.probe URL`: whether a page is answered with 200, for health checks of containers."""

import sys
from http.client import HTTPException
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

_SECONDS = 4.0
_ANSWERED = 200


def answers(url: str) -> bool:
    """Whether the page is there, asked without a proxy."""
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=_SECONDS) as answer:
            return int(answer.status) == _ANSWERED
    except (URLError, HTTPException, OSError):
        return False


if __name__ == "__main__":
    sys.exit(0 if answers(sys.argv[1]) else 1)
