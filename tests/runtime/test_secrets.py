# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from crossdock.errors import NeedsConfig
from crossdock.runtime.secrets import Secret, resolve


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret("hunter2")
    assert secret.reveal() == "hunter2"
    assert "hunter2" not in f"{secret!r} {secret} {[secret]} {secret:}"
    assert secret == Secret("hunter2")
    assert secret != Secret("hunter3")
    assert secret != "hunter2"


def test_a_secret_is_neither_pickled_nor_a_key() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Secret("x"))
    with pytest.raises(TypeError, match="unhashable"):
        {Secret("x"): 1}


def test_environment_and_file_references(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from file\r\n", "utf-8")
    assert resolve("env:KEY", environment={"KEY": "from env"}).reveal() == "from env"
    assert resolve("file:key", base=tmp_path).reveal() == "from file"
    assert resolve(f"file:{tmp_path / 'key'}").reveal() == "from file"


@pytest.mark.parametrize(
    ("reference", "rule", "says"),
    [
        ("hunter2", "secret_reference", "not a reference"),
        ("env:", "secret_reference", "not a reference"),
        ("vault:hunter2", "secret_reference", "not a reference"),
        ("env:MISSING", "secret_missing", "MISSING is not set"),
        ("file:missing", "secret_missing", "No such file"),
        ("file:empty", "secret_missing", "is empty"),
        ("file:binary", "secret_missing", "not UTF-8"),
        ("file:large", "secret_missing", "larger than 65536 bytes"),
    ],
)
def test_what_cannot_be_resolved_says_so_without_repeating_values(
    tmp_path: Path, reference: str, rule: str, says: str
) -> None:
    (tmp_path / "empty").write_bytes(b"\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(b"x" * 65_537)
    with pytest.raises(NeedsConfig, match=says) as caught:
        resolve(reference, base=tmp_path, environment={}, where="systems.erp.password")
    assert caught.value.rule == rule
    assert caught.value.field == "systems.erp.password"
    assert caught.value.fix
    assert "hunter2" not in f"{caught.value} {caught.value.fix} {caught.value.value}"
