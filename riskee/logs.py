"""Logs as JSON lines on standard output; the libraries' own logs take the same form."""

import logging
import os
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import structlog

from riskee.errors import FatalError
from riskee.redaction import redacted

# Without the values of variables, which a token or a password may be among.
_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
_SHARED: tuple[structlog.types.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _TRACEBACKS,
)
# One line per request or reconnection attempt helps nobody.
_QUIET = ("uvicorn.access", "httpx", "httpcore", "nats.aio.client")

# Where nobody configures logs, as in commands, they stay apart from what is printed for people and programs.
structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


def _redact(_logger: object, _method: str, line: object) -> str:
    return redacted(str(line))


def _formatter() -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(),
            _redact,
        ],
    )


def configure_logs(service: str, level: str) -> None:
    """Send all logs of this process to standard output, each line naming the service. Call it once, first."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_formatter())
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)


class _OwnFile(RotatingFileHandler):
    """For the owner only. What cannot be written to it goes to the other logs, with the reason."""

    def _open(self) -> Any:
        return open(
            self.baseFilename, self.mode, encoding=self.encoding, opener=lambda path, flags: os.open(path, flags, 0o600)
        )

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the name is the library's)
        cause = str(sys.exc_info()[1])
        get_logger(__name__).error("this line could not be written to its own file", cause=cause)
        logging.getLogger().handle(record)


def write_apart(name: str, file: Path, most_bytes: int, backups: int) -> None:
    """Write the lines of a logger to a file of their own and nowhere else, of every level from INFO.

    A full file gets `.1` behind its name, and the one that had it `.2`; so many are kept. Only one process may write to
    a file. Call it after `configure_logs`. Raises FatalError where the file cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler = _OwnFile(file, maxBytes=most_bytes, backupCount=backups, encoding="utf-8")
    except OSError as error:
        raise FatalError(
            f"{file} cannot be written: {error.strerror}", "check its owner and mode, or name another"
        ) from error
    handler.setFormatter(_formatter())
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
