# SPDX-License-Identifier: Apache-2.0
"""Each rule of lint_shape fires on what it forbids, and not on the nearest thing that is allowed."""

from __future__ import annotations

import pytest

from tools.lint_shape import lint_text

HEAD = '# SPDX-License-Identifier: Apache-2.0\n"""A module."""\n'


def codes(text: str, path: str = "src/crossdock/orders/accept.py") -> list[str]:
    return [finding.code for finding in lint_text(path, text)]


def function(lines: int) -> str:
    return 'def accept() -> None:\n    """Accept."""\n' + "    pass\n" * (lines - 2)


FORBIDDEN = {
    "CD001": HEAD + "x = 1\n" * 399,
    "CD002": HEAD + function(61),
    "CD003": HEAD + "def _f(a, b, /, c, d, e, *, f, g, h): ...\n",
    "CD004": HEAD + "def _f():\n    import json\n",
    "CD005": HEAD + "try:\n    pass\nexcept Exception:\n    pass\n",
    "CD007": '"""A module."""\n',
    "CD008": HEAD + "def accept(): ...\n",
    "CD009": HEAD + 'def _f(c, t):\n    c.execute(f"SELECT {t}")\n',
    "CD010": HEAD + "import pytest\npytest.skip()\n",
}

ALLOWED = {
    "CD001": HEAD + "x = 1\n" * 398,
    "CD002": HEAD + function(60),
    "CD003": HEAD + "def _f(self, a, b, /, c, d, e, *, f, g): ...\n",
    "CD004": HEAD + "import json\n",
    "CD005": HEAD + "try:\n    pass\nexcept Exception:  # edge: one bad document never stops its batch\n    pass\n",
    "CD007": "#!/usr/bin/env python\n" + HEAD,
    "CD008": HEAD + "def _accept(): ...\n",
    "CD009": HEAD + 'def _f(c, t):\n    c.execute("SELECT $1", t)\n',
    "CD010": HEAD + 'import pytest\npytest.skip("no engine here")\n',
}


@pytest.mark.parametrize("code", sorted(FORBIDDEN))
def test_fires_on_what_is_forbidden(code: str) -> None:
    assert codes(FORBIDDEN[code]) == [code]


@pytest.mark.parametrize("code", sorted(ALLOWED))
def test_is_quiet_on_what_is_allowed(code: str) -> None:
    assert codes(ALLOWED[code]) == []


@pytest.mark.parametrize("name", ["utils.py", "service.py", "common/read.py", "models/__init__.py"])
def test_cd006_vague_names(name: str) -> None:
    assert codes(HEAD, f"src/crossdock/orders/{name}") == ["CD006"]
    assert codes(HEAD, "src/crossdock/orders/accept.py") == []


@pytest.mark.parametrize(
    "handler",
    ["except:", "except BaseException:", "except (ValueError, Exception):", "except Exception:  # edge:"],
)
def test_cd005_every_way_to_catch_everything(handler: str) -> None:
    assert codes(HEAD + f"try:\n    pass\n{handler}\n    pass\n") == ["CD005"]


def test_cd005_lets_a_handler_tidy_up_and_pass_the_error_on() -> None:
    assert codes(HEAD + "try:\n    pass\nexcept BaseException:\n    x = 1\n    raise\n") == []


def test_cd008_is_for_installed_code_only() -> None:
    assert codes("# SPDX-License-Identifier: Apache-2.0\ndef test_x(): ...\n", "tests/orders/test_x.py") == []


@pytest.mark.parametrize(
    "argument",
    ['"SELECT " + t', '"SELECT %s" % t', '"SELECT {}".format(t)', '", ".join(t)', '"a" + t + "b"', 'f"SELECT {t}"'],
)
def test_cd009_every_way_to_assemble(argument: str) -> None:
    assert codes(HEAD + f"def _f(c, t):\n    return c.fetch({argument})\n") == ["CD009"]


def test_cd009_lets_text_without_values_and_other_calls_pass() -> None:
    assert codes(HEAD + 'def _f(c, t):\n    c.fetch(f"SELECT 1")\n    c.say("a" + t)\n    c.fetch(t)\n') == []


@pytest.mark.parametrize(
    "line",
    [
        "@pytest.mark.skip",
        "@pytest.mark.skip()",
        "@pytest.mark.skipif(True)",
        "@pytest.mark.xfail",
        '@pytest.mark.skip(reason="")',
    ],
)
def test_cd010_every_silent_skip(line: str) -> None:
    assert codes(f"{HEAD}import pytest\n{line}\ndef test_x(): ...\n", "tests/test_x.py") == ["CD010"]


@pytest.mark.parametrize(
    "line",
    ['@pytest.mark.skip("no disk")', '@pytest.mark.skipif(True, reason="no disk")', "@pytest.mark.xfail(reason=WHY)"],
)
def test_cd010_skips_with_a_reason(line: str) -> None:
    assert codes(f"{HEAD}import pytest\n{line}\ndef test_x(): ...\n", "tests/test_x.py") == []
