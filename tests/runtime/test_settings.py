# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from crossdock.errors import NeedsConfig
from crossdock.settings import Settings


def test_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment({})
    assert (settings.host, settings.port, settings.nats_port) == ("127.0.0.1", 8480, 0)
    assert (settings.database_url, settings.nats_url, settings.postgres_bin) == (None, None, None)
    assert settings.data.name == "crossdock"
    (tmp_path / ".crossdock").mkdir()
    assert Settings.from_environment({}).data == tmp_path / ".crossdock"


def test_environment_then_overrides() -> None:
    environment = {
        "CROSSDOCK_DATA": "/srv/x",
        "CROSSDOCK_PORT": "9000",
        "DATABASE_URL": "postgresql://a@b/c",
        "NATS_URL": "",
        "CROSSDOCK_LOG_FORMAT": "JSON",
    }
    settings = Settings.from_environment(environment, port=9001, host=None)
    assert settings.data == Path("/srv/x")
    assert (settings.port, settings.host) == (9001, "127.0.0.1")
    assert settings.database_url == "postgresql://a@b/c"
    assert settings.nats_url is None
    assert settings.log_format == "json"


def test_load_reads_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSDOCK_PORT", "8999")
    assert Settings.load(data="/srv/x").port == 8999


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CROSSDOCK_PORT", "eighty"),
        ("CROSSDOCK_PORT", "0"),
        ("CROSSDOCK_PORT", "65536"),
        ("CROSSDOCK_NATS_PORT", "-1"),
        ("CROSSDOCK_LOG_LEVEL", "loud"),
        ("DATABASE_URL", "mysql://u:hunter2@h/d"),
        ("NATS_URL", "hunter2@h:4222"),
        ("DATABASE_URL", "postgresql://u:hunter2@[h/d"),
    ],
)
def test_a_wrong_value_names_the_variable_and_the_fix(variable: str, value: str) -> None:
    with pytest.raises(NeedsConfig) as caught:
        Settings.from_environment({variable: value})
    assert caught.value.field == variable
    assert caught.value.fix
    assert "hunter2" not in f"{caught.value} {caught.value.value}"


def test_an_unknown_override_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(TypeError, match="no field colour"):
        Settings.load(colour="red")


def test_repr_hides_the_urls() -> None:
    settings = Settings.from_environment({}, database_url="postgresql://u:hunter2@h/d", nats_url="nats://hunter2@h")
    assert "hunter2" not in repr(settings)
    assert "port=8480" in repr(settings)
