# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from prometheus_client import Counter

from crossdock.runtime.secrets import Secret
from crossdock.runtime.telemetry import REGISTRY, configure_logs, redact, render_metrics


@pytest.fixture
def json_logs(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield capsys
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:], root.level = handlers, level


def test_a_line_is_json_with_time_level_and_role(json_logs: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json", role="test")
    structlog.get_logger().info("started", port=8480)
    structlog.get_logger().debug("not shown")
    line = json.loads(json_logs.readouterr().err)
    assert (line["event"], line["port"], line["level"], line["role"]) == ("started", 8480, "info", "test")
    assert line["timestamp"].endswith("Z")


def test_records_of_libraries_go_the_same_way(json_logs: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json", role="test")
    logging.getLogger("some.library").warning("odd: %s", "postgresql://u:hunter2@h/d")
    logging.getLogger("some.library").info("chatter")
    line = json.loads(json_logs.readouterr().err)
    assert line["event"] == "odd: postgresql://***@h/d"
    assert line["level"] == "warning"


def test_an_exception_is_logged_without_credentials(json_logs: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json", role="test")
    try:
        raise ValueError("cannot reach nats://hunter2@h:1")
    except ValueError:
        structlog.get_logger().exception("failed")
    line = json.loads(json_logs.readouterr().err)
    assert "ValueError: cannot reach nats://***@h:1" in line["exception"]


@pytest.mark.parametrize(
    "key", ["password", "client_secret", "access_token", "Authorization", "apiKey", "X-Signature", "cookie", "dsn"]
)
def test_secret_looking_keys_are_hidden_at_every_depth(key: str) -> None:
    event = redact(None, "", {key: "hunter2", "headers": {key: "hunter2", "n": 1}, "list": [{key: ["hunter2"]}]})
    assert "hunter2" not in str(event)
    assert event["headers"]["n"] == 1


def test_values_are_bounded_and_secrets_and_bytes_never_shown() -> None:
    event = redact(None, "", {"text": "x" * 10_000, "body": b"hunter2", "value": Secret("hunter2"), "ok": True})
    assert event == {
        "text": "x" * 4_000 + "… (10000 characters)",
        "body": "(7 bytes)",
        "value": "Secret(***)",
        "ok": True,
    }


def test_metrics_are_rendered() -> None:
    counter = Counter("crossdock_test_things", "Things counted by a test", ["kind"], registry=REGISTRY)
    counter.labels("odd").inc(3)
    text, content_type = render_metrics()
    assert b'crossdock_test_things_total{kind="odd"} 3.0' in text
    assert b"process_resident_memory_bytes" in text
    assert content_type.startswith("text/plain")
    REGISTRY.unregister(counter)
