"""Asking the running API."""

import json
import urllib.error
import urllib.parse
import urllib.request
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from riskee.errors import FatalError, NotFoundError, RetryableError, RiskeeError

if TYPE_CHECKING:
    from riskee.settings import Settings


def base_url(settings: "Settings", scheme: str = "http") -> str:
    """Where the API listens, as seen from this machine."""
    host = "127.0.0.1" if settings.api.host in {"0.0.0.0", "::"} else settings.api.host  # noqa: S104 (compared only)
    return f"{scheme}://{host}:{settings.api.port}"


def headers(settings: "Settings") -> dict[str, str]:
    """Who asks: with the key or token of the settings, if there is one."""
    token = settings.api.token
    return {} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"}


def get(settings: "Settings", path: str, timeout: float) -> Any:
    """The JSON at a path.

    Raises NotFoundError for what the API does not know, FatalError where it does not let the caller in, and
    RetryableError when it fails or does not answer, all with its own words where it has any.
    """
    return _ask(settings, "GET", path, timeout)


def post(settings: "Settings", path: str, timeout: float) -> Any:
    """The JSON that asking for something at a path gives. Raises as `get`."""
    return _ask(settings, "POST", path, timeout)


def _ask(settings: "Settings", method: str, path: str, timeout: float) -> Any:
    url = f"{base_url(settings)}{urllib.parse.quote(path)}"
    request = urllib.request.Request(url, headers=headers(settings), method=method)  # noqa: S310 (the scheme is ours)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise _problem(error) from error
    except TimeoutError as error:
        raise RetryableError(
            f"no answer from {url} within {timeout:.0f} s", "`riskee status`, then try again"
        ) from error
    except (urllib.error.URLError, ConnectionError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise RetryableError(f"the API at {url} does not answer: {reason}", "`riskee up` starts it") from error


def refused(cause: str) -> FatalError:
    """The error of a caller whom the API does not let in."""
    return FatalError(cause, "put a key into RISKEE_API__TOKEN: `riskee keys create --scopes all` makes one")


def _problem(error: urllib.error.HTTPError) -> RiskeeError:
    try:
        problem = json.load(error)
        cause, step = str(problem["detail"]), str(problem.get("next_step", ""))
    except (ValueError, KeyError, TypeError):
        cause, step = f"the API answers {error.code} {error.reason}", "`riskee logs api`"
    if error.code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return refused(cause)
    kind = NotFoundError if error.code == HTTPStatus.NOT_FOUND else RetryableError
    return kind(cause, step)
