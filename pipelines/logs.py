"""Logs: a fixed sentence with fields, redacted in one place, Pipecat's and uvicorn's among them."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from agent.safety.detectors import redact


def configure_logs(level: str) -> None:
    """One line per event on standard error. Pipecat's loguru speaks from `warning` on: below, it quotes people."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(_RedactRecords())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            _redact_fields,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level.upper()),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    from loguru import logger

    logger.remove()
    logger.add(
        _write,
        level="WARNING",
        format="{level} {name} {message}",
        diagnose=False,
        backtrace=False,
    )


def _redact_fields(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in fields.items():
        if isinstance(value, str):
            fields[name] = redact(value)
    return fields


class _RedactRecords(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), ()
        return True


def _write(line: str) -> None:
    sys.stderr.write(redact(line))
