# SPDX-License-Identifier: Apache-2.0
"""Structured logs without secrets, and the metrics registry behind /metrics."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import msgspec
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.process_collector import ProcessCollector

HIDDEN = "***"
_LONGEST_TEXT = 4_000
_SECRET_KEY = re.compile(
    r"passw|secret|token|authorization|api_?key|private_?key|cookie|credential|signature|(^|_)(dsn|pin)$", re.IGNORECASE
)
# user:password@ or token@ in a URL. Bounded, so that a hostile line costs no more than its length.
_URL_SECRET = re.compile(r"(?<=://)[^\s/@?#]{1,512}@")

# API keys and signed tokens, wherever somebody put one by mistake: in a path, in a name, in a search.
_CREDENTIAL = re.compile(r"\bcdk_[0-9a-f]{12}_[\w-]{20,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")

REGISTRY = CollectorRegistry()
"""The registry that every metric of this process belongs to."""

ProcessCollector(registry=REGISTRY)


def configure_logs(level: str = "info", format: str = "auto", **always: str) -> None:
    """Send logs to standard error: JSON lines, or coloured text when `format` is console (or auto on a terminal).

    `always`: fields on every line, such as role="worker". Times are UTC, ISO 8601. Records of libraries that use the
    standard library's logging go the same way from level warning on.
    """
    console = format == "console" or (format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    last: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if console
        else structlog.processors.JSONRenderer(serializer=_to_json)
    )
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(_number(level)),
        # Looked up at each use, as who embeds us may replace it.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**always)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=last, foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(_number(level), logging.WARNING))


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide what looks like a secret by its key, and credentials in URLs; cut very long texts. A structlog processor."""
    for key, value in event.items():
        event[key] = _redacted(key, value, depth=4)
    return event


def hide_credentials(text: str) -> str:
    """`text` without the API keys and tokens in it."""
    return _CREDENTIAL.sub(HIDDEN, text)


def render_metrics() -> tuple[bytes, str]:
    """The metrics of this process in the Prometheus text format, and its content type."""
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST


def _redacted(key: str, value: Any, depth: int) -> Any:
    if _SECRET_KEY.search(key) and value is not None and not isinstance(value, bool):
        return HIDDEN
    if isinstance(value, bytes):
        return f"({len(value)} bytes)"
    if isinstance(value, str):
        text = value if len(value) <= _LONGEST_TEXT else f"{value[:_LONGEST_TEXT]}… ({len(value)} characters)"
        return hide_credentials(_URL_SECRET.sub(f"{HIDDEN}@", text))
    if depth and isinstance(value, dict):
        return {inner: _redacted(str(inner), item, depth - 1) for inner, item in value.items()}
    if depth and isinstance(value, list | tuple):
        return [_redacted("", item, depth - 1) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _redacted("", str(value), 0)


def _to_json(event: Any, **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()


def _number(level: str) -> int:
    return logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
