"""Logs are one JSON object a line, whoever writes them."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog

from riskee.errors import FatalError
from riskee.logs import configure_logs, get_logger, write_apart

KEY = "rk_0123456789ab_S3cr3tS3cr3tS3cr3tS3cr3tS3cr3tS3cr3tS3cr3t-_A"
JWT = "eyJhbGciOiJIUzI1NiIsImtpZCI6ImEifQ.eyJzdWIiOiJtZSIsImV4cCI6MX0.c2lnbmF0dXJl_-c2lnbmF0dXJl"
PASSWORD = "pl4nted-passw0rd"
APART = "riskee.here.apart"


@contextmanager
def logs_on_stdout(level: str) -> Iterator[None]:
    root, handlers, before = logging.getLogger(), logging.getLogger().handlers[:], logging.getLogger().level
    try:
        configure_logs("test", level)
        yield
    finally:
        root.handlers, root.level = handlers, before
        apart = logging.getLogger(APART)
        for handler in apart.handlers[:]:
            apart.removeHandler(handler)
            handler.close()
        apart.propagate, apart.level = True, logging.NOTSET
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


def _lines(*paths: Path) -> list[dict[str, object]]:
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def test_other_lines_cannot_push_out_those_of_a_file_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "not there yet" / "audit.log"
    with logs_on_stdout("ERROR"):
        write_apart(APART, file, 100_000, 1)
        get_logger(APART).info("audit", cause=f"the key {KEY} is wrong")
        for _ in range(1000):
            get_logger("riskee.here").error("a flood")
    (line,) = _lines(file)
    assert (line["event"], line["service"], line["logger"]) == ("audit", "test", APART)
    assert "***" in str(line["cause"]), "no credential here either"
    assert file.stat().st_mode & 0o077 == 0
    assert "audit" not in capsys.readouterr().out


def test_it_keeps_so_many_full_files_for_their_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "audit.log"
    with logs_on_stdout("INFO"):
        write_apart(APART, file, 1000, 2)
        for number in range(100):
            get_logger(APART).info("audit", number=number)
    kept = [tmp_path / name for name in ("audit.log.2", "audit.log.1", "audit.log")]
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    numbers = [line["number"] for line in _lines(*kept)]
    assert numbers == list(range(100 - len(numbers), 100))
    assert all(path.stat().st_size <= 1000 and path.stat().st_mode & 0o077 == 0 for path in kept)


def test_what_cannot_be_written_there_is_among_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "audit.log"
    with logs_on_stdout("INFO"):
        write_apart(APART, file, 1, 1)
        tmp_path.joinpath("audit.log").unlink()
        tmp_path.rename(tmp_path.with_name("gone"))
        get_logger(APART).info("audit", number=1)
    tmp_path.with_name("gone").rename(tmp_path)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in told] == ["this line could not be written to its own file", "audit"]
    assert str(file) in told[0]["cause"]
    assert told[1]["number"] == 1


def test_a_file_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    with logs_on_stdout("INFO"), pytest.raises(FatalError, match=f"{tmp_path} cannot be written"):
        write_apart(APART, tmp_path, 1000, 1)
