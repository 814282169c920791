"""Asking the running API."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from riskee.access.exposure import reached_at
from riskee.errors import FatalError, NotFoundError, PoisonError, RetryableError, RiskeeError

if TYPE_CHECKING:
    from riskee.settings import Settings


# Straight to the API: a proxy of the surroundings would be told the token.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def base_url(settings: "Settings", scheme: str = "http") -> str:
    """Where the API listens, as seen from this machine; with TLS where it has a certificate."""
    scheme = scheme if settings.api.tls.certificate is None else f"{scheme}s"
    host = reached_at(settings.api.host)
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.api.port}"


def headers(settings: "Settings") -> dict[str, str]:
    """Who asks: with the key or token of the settings, if there is one."""
    token = settings.api.token
    return {} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"}


def get(settings: "Settings", path: str, timeout: float, **query: str) -> Any:
    """The JSON at a path, with this query.

    Raises NotFoundError for what the API does not know, FatalError where it does not let the caller in, and
    RetryableError when it fails or does not answer, all with its own words where it has any.
    """
    return _ask(settings, "GET", path, timeout, query)


def post(settings: "Settings", path: str, timeout: float) -> Any:
    """The JSON that asking for something at a path gives. Raises as `get`."""
    return _ask(settings, "POST", path, timeout)


def _ask(settings: "Settings", method: str, path: str, timeout: float, query: Mapping[str, str] | None = None) -> Any:
    url = f"{base_url(settings)}{urllib.parse.quote(path)}"
    if query:
        url += f"?{urllib.parse.urlencode(query)}"
    request = urllib.request.Request(url, headers=headers(settings), method=method)  # noqa: S310 (the scheme is ours)
    try:
        with _direct.open(request, timeout=timeout) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise _problem(error) from error
    except TimeoutError as error:
        raise RetryableError(
            f"no answer from {url} within {timeout:.0f} s", "`riskee status`, then try again"
        ) from error
    except (urllib.error.URLError, ConnectionError, ValueError) as error:
        reason = getattr(error, "reason", error)
        if is_untrusted(reason):
            raise untrusted(url, reason) from error
        raise RetryableError(f"the API at {url} does not answer: {reason}", "`riskee up` starts it") from error


def refused(cause: str) -> FatalError:
    """The error of a caller whom the API does not let in."""
    return FatalError(cause, "put a key into RISKEE_API__TOKEN: `riskee keys create --scopes all` makes one")


def is_untrusted(reason: object) -> bool:
    """Whether a connection failed because the API's certificate is not trusted."""
    from ssl import SSLCertVerificationError

    return isinstance(reason, SSLCertVerificationError)


def untrusted(url: str, reason: object) -> FatalError:
    """The error of an API whose certificate is not trusted: it answers, and whether it is the API nobody knows."""
    return FatalError(
        f"the certificate of the API at {url} is not trusted: {reason}",
        "name the certificate of its authority: SSL_CERT_FILE=/path/to/authority.pem",
    )


def _problem(error: urllib.error.HTTPError) -> RiskeeError:
    try:
        return problem_error({"status": error.code, **json.load(error)})
    except (ValueError, KeyError, TypeError):
        return problem_error(
            {
                "status": error.code,
                "detail": f"the API answers {error.code} {error.reason}",
                "next_step": "`riskee logs api`",
            }
        )


class NotExplainedError(NotFoundError):
    """There is such a prediction, of this ticker, and no explanation of it yet."""

    def __init__(self, cause: str, remedy: str, ticker: str) -> None:
        super().__init__(cause, remedy)
        self.ticker = ticker


def problem_error(problem: Mapping[str, Any]) -> RiskeeError:
    """The error that a problem document tells of. Raises KeyError where it is none."""
    status, cause, step = problem["status"], str(problem["detail"]), str(problem.get("next_step", ""))
    if status == HTTPStatus.NOT_FOUND and problem.get("ticker"):
        return NotExplainedError(cause, step, str(problem["ticker"]))
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return refused(cause)
    kind = {HTTPStatus.NOT_FOUND: NotFoundError, HTTPStatus.UNPROCESSABLE_ENTITY: PoisonError}.get(status)
    return (kind or RetryableError)(cause, step)
