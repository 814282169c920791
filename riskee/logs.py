"""Logs as JSON lines on standard output; the libraries' own logs take the same form."""

import logging
import sys

import structlog

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


def configure_logs(service: str, level: str) -> None:
    """Send all logs of this process to standard output, each line naming the service. Call it once, first."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
                _redact,
            ],
        )
    )
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


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
