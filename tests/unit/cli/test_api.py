"""Asking the API: its own words are passed on."""

import io
import urllib.error
from email.message import Message

import pytest

from riskee.cli import api
from riskee.errors import FatalError, NotFoundError, RetryableError, RiskeeError
from riskee.settings import ApiSettings, Settings


def _http_error(code: int, reason: str, body: bytes) -> urllib.error.HTTPError:
    return urllib.error.HTTPError("http://x", code, reason, Message(), io.BytesIO(body))


@pytest.mark.parametrize(
    ("raised", "kind", "cause", "remedy"),
    [
        (_http_error(404, "Not Found", b'{"detail": "no X", "next_step": "ask Y"}'), NotFoundError, "no X", "ask Y"),
        (_http_error(401, "Unauthorized", b'{"detail": "no credential"}'), FatalError, "no credential", "API__TOKEN"),
        (_http_error(403, "Forbidden", b'{"detail": "no scope"}'), FatalError, "no scope", "riskee keys create"),
        (_http_error(502, "Bad Gateway", b"<html>"), RetryableError, "answers 502 Bad Gateway", "`riskee logs api`"),
        (urllib.error.URLError(ConnectionRefusedError("refused")), RetryableError, "does not answer: refused", "up"),
        (TimeoutError(), RetryableError, "within 3 s", "status"),
    ],
)  # fmt: skip
def test_errors_name_cause_and_next_step(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, kind: type[RiskeeError], cause: str, remedy: str
) -> None:
    def urlopen(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    with pytest.raises(kind) as failed:
        api.get(Settings(), "/predict/X", 3)
    assert cause in failed.value.cause
    assert remedy in failed.value.remedy


def test_an_api_on_all_addresses_is_asked_on_loopback() -> None:
    assert api.base_url(Settings(api=ApiSettings(host="0.0.0.0", port=8123)), "ws") == "ws://127.0.0.1:8123"
