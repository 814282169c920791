"""Asking the API: its own words are passed on."""

import io
import urllib.error
from email.message import Message
from ssl import SSLCertVerificationError
from typing import Any

import pytest
from pydantic import SecretStr

from riskee.cli import api
from riskee.cli.api import NotExplainedError
from riskee.cli.watch import stream
from riskee.errors import FatalError, NotFoundError, PoisonError, RetryableError, RiskeeError
from riskee.settings import ApiSettings, Settings

UNTRUSTED = SSLCertVerificationError(1, "self-signed")


def _http_error(code: int, reason: str, body: bytes) -> urllib.error.HTTPError:
    return urllib.error.HTTPError("http://x", code, reason, Message(), io.BytesIO(body))


@pytest.mark.parametrize(
    ("raised", "kind", "cause", "remedy"),
    [
        (_http_error(404, "Not Found", b'{"detail": "no X", "next_step": "ask Y"}'), NotFoundError, "no X", "ask Y"),
        (_http_error(404, "Not Found", b'{"detail": "no X", "ticker": "X"}'), NotExplainedError, "no X", ""),
        (_http_error(401, "Unauthorized", b'{"detail": "no credential"}'), FatalError, "no credential", "API__TOKEN"),
        (_http_error(403, "Forbidden", b'{"detail": "no scope"}'), FatalError, "no scope", "riskee keys create"),
        (_http_error(502, "Bad Gateway", b"<html>"), RetryableError, "answers 502 Bad Gateway", "`riskee logs api`"),
        (urllib.error.URLError(ConnectionRefusedError("refused")), RetryableError, "does not answer: refused", "up"),
        (urllib.error.URLError(UNTRUSTED), FatalError, "not trusted: self-signed", "SSL_CERT_FILE="),
        (TimeoutError(), RetryableError, "within 3 s", "status"),
    ],
)  # fmt: skip
def test_errors_name_cause_and_next_step(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, kind: type[RiskeeError], cause: str, remedy: str
) -> None:
    def urlopen(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr("riskee.cli.api._direct.open", urlopen)
    with pytest.raises(kind) as failed:
        api.get(Settings(), "/predict/X", 3)
    assert cause in failed.value.cause
    assert remedy in failed.value.remedy


def test_an_api_on_all_addresses_is_asked_on_loopback() -> None:
    assert api.base_url(Settings(api=ApiSettings(host="0.0.0.0", port=8123)), "ws") == "ws://127.0.0.1:8123"


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    hosts = {"::1": "[::1]", "::": "[::1]", "[::1]": "[::1]", "localhost": "localhost"}
    for host, shown in hosts.items():
        assert api.base_url(Settings(api=ApiSettings(host=host, port=8123))) == f"http://{shown}:8123"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, NotFoundError), (422, PoisonError), (403, FatalError), (429, RetryableError), (503, RetryableError)],
)
def test_a_problem_of_the_stream_is_the_error_that_its_status_says(status: int, kind: type[RiskeeError]) -> None:
    assert type(api.problem_error({"status": status, "detail": "no", "next_step": "yes"})) is kind


def test_a_stream_whose_certificate_is_not_trusted_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object, **__: object) -> Any:
        raise UNTRUSTED

    monkeypatch.setattr("websockets.sync.client.connect", connect)
    with pytest.raises(FatalError, match="not trusted: self-signed"):
        next(stream(Settings(), ["X"]))


def test_the_query_is_asked_for_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def urlopen(request: Any, **_: object) -> Any:
        asked.append(request.full_url)
        return io.BytesIO(b"[]")

    monkeypatch.setattr("riskee.cli.api._direct.open", urlopen)
    api.get(Settings(), "/v1/tickers", 1, search="A&B")
    assert asked[0].endswith("/v1/tickers?search=A%26B")


def test_a_proxy_of_the_surroundings_is_not_told_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], *_: object, **__: object) -> None:
        asked.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr("socket.create_connection", connect)
    monkeypatch.setattr("urllib.request._opener", None)
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    settings = Settings(api=ApiSettings(port=8123, token=SecretStr("secret")))
    with pytest.raises(RetryableError, match="does not answer"):
        api.get(settings, "/predict/X", 1)
    with pytest.raises(RetryableError, match="does not answer"):
        next(stream(settings, ["X"]))
    assert asked == 2 * [("127.0.0.1", 8123)]
