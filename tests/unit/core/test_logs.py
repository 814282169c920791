"""Logs are one JSON object a line, whoever writes them."""

import json
import logging

import pytest
import structlog

from riskee.logs import configure_logs, get_logger


def test_own_and_foreign_logs_are_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    root, handlers = logging.getLogger(), logging.getLogger().handlers[:]
    try:
        configure_logs("test", "INFO")
        get_logger("riskee.here").info("done", ticker="AAPL")
        logging.getLogger("library").warning("beware of %s", "this")
        get_logger("riskee.here").debug("too small to see")
    finally:
        root.handlers = handlers
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    own, foreign = map(json.loads, capsys.readouterr().out.splitlines())
    assert (own["event"], own["ticker"], own["service"], own["level"]) == ("done", "AAPL", "test", "info")
    assert (foreign["event"], foreign["level"], foreign["logger"]) == ("beware of this", "warning", "library")
    assert own["timestamp"].endswith("Z")
