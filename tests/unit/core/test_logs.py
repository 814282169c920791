"""Logs are one JSON object a line, whoever writes them."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog

from riskee.logs import configure_logs, get_logger

KEY = "rk_0123456789ab_S3cr3tS3cr3tS3cr3tS3cr3tS3cr3tS3cr3tS3cr3t-_A"
JWT = "eyJhbGciOiJIUzI1NiIsImtpZCI6ImEifQ.eyJzdWIiOiJtZSIsImV4cCI6MX0.c2lnbmF0dXJl_-c2lnbmF0dXJl"
PASSWORD = "pl4nted-passw0rd"


@contextmanager
def logs_on_stdout(level: str) -> Iterator[None]:
    root, handlers, before = logging.getLogger(), logging.getLogger().handlers[:], logging.getLogger().level
    try:
        configure_logs("test", level)
        yield
    finally:
        root.handlers, root.level = handlers, before
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize(
    "text",
    [
        f"authorization: Bearer {KEY}",
        f"< Sec-WebSocket-Protocol: riskee.v1, riskee.bearer.{JWT}",
        f"Authorization: bearer {JWT}",
        f"the key {KEY} is wrong",
        f"token={JWT.rpartition('.')[0]}",
        f"postgresql+psycopg://riskee:{PASSWORD}@localhost:5432/riskee",
        f"redis://:{PASSWORD}@localhost",
    ],
)
def test_no_line_tells_a_credential(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with logs_on_stdout("DEBUG"):
        get_logger("riskee.here").warning("failed", cause=text)
        logging.getLogger("library").debug("got %s", text)
    printed = capsys.readouterr().out
    assert printed.count("***") >= 2
    for secret in (KEY.split("_", 2)[2], "c2lnbmF0dXJl", JWT.split(".")[1], PASSWORD):
        assert secret not in printed


def test_a_traceback_shows_no_variables(capsys: pytest.CaptureFixture[str]) -> None:
    def failing(password: str) -> None:
        raise ValueError("no such thing")

    try:
        failing("p" + "w" * 20)
    except ValueError as error:
        with logs_on_stdout("INFO"):
            get_logger("riskee.here").error("a defect", exc_info=error)
    printed = capsys.readouterr().out
    assert "failing" in printed
    assert "no such thing" in printed
    assert "w" * 20 not in printed


def test_other_text_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["nats://127.0.0.1:4222", "http://localhost:8000/v1/predict/AAPL?x=a@b", "work_ab_cd", "a bearer of news"]
    with logs_on_stdout("INFO"):
        for text in texts:
            get_logger("riskee.here").info("seen", text=text)
    assert [json.loads(line)["text"] for line in capsys.readouterr().out.splitlines()] == texts


def test_own_and_foreign_logs_are_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with logs_on_stdout("INFO"):
        get_logger("riskee.here").info("done", ticker="AAPL")
        logging.getLogger("library").warning("beware of %s", "this")
        get_logger("riskee.here").debug("too small to see")
    own, foreign = map(json.loads, capsys.readouterr().out.splitlines())
    assert (own["event"], own["ticker"], own["service"], own["level"]) == ("done", "AAPL", "test", "info")
    assert (foreign["event"], foreign["level"], foreign["logger"]) == ("beware of this", "warning", "library")
    assert own["timestamp"].endswith("Z")
