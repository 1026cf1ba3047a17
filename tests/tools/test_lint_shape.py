# SPDX-License-Identifier: Apache-2.0
"""Exemptions carry a reason and are taken away when they are no longer needed; the command says where and what."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.lint_shape import lint_paths, lint_text, main

HEAD = '# SPDX-License-Identifier: Apache-2.0\n"""A module."""\n'
INNER = "def _f():\n    import json{}\n"


def codes(text: str) -> list[str]:
    return [finding.code for finding in lint_text("src/crossdock/orders/accept.py", text)]


def test_an_exemption_with_a_reason_holds_for_its_line_only() -> None:
    excused = INNER.format("  # CD004: the import needs a display")
    assert codes(HEAD + excused) == []
    assert codes(HEAD + excused + INNER.format("")) == ["CD004"]


def test_an_exemption_without_a_reason_is_a_finding() -> None:
    assert codes(HEAD + INNER.format("  # CD004")) == ["CD000"]


def test_an_exemption_that_is_not_needed_is_a_finding() -> None:
    assert codes(HEAD + "x = 1  # CD004: once it was needed\n") == ["CD000"]


def test_a_rule_about_the_file_is_excused_at_its_head() -> None:
    assert codes(HEAD + "# CD001: a table, generated\n" + "x = 1\n" * 500) == []
    assert codes(HEAD + "x = 1\n" * 500 + "# CD001: too late to say\n") == ["CD001", "CD000"]


def test_the_word_in_a_text_is_no_exemption() -> None:
    assert codes(HEAD + 'x = "# CD004: only a text"\n') == []


def test_the_command_prints_place_and_way_out_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "order.py").write_text(HEAD + INNER.format(""))
    assert main(["src"]) == 1
    assert capsys.readouterr().out.startswith("src/order.py:4: CD004 import inside a function. Move it to the top")
    (tmp_path / "src" / "order.py").write_text(HEAD)
    assert main(["src"]) == 0


def test_what_npm_brings_is_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "node_modules" / "gyp"
    folder.mkdir(parents=True)
    (folder / "utils.py").write_text("import os")
    assert lint_paths([tmp_path]) == []
    assert lint_paths([tmp_path / "not there"]) == []
