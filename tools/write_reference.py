# SPDX-License-Identifier: Apache-2.0
"""Write the reference pages that the code itself knows: `python -m tools.write_reference [ROOT]`.

docs/reference/cli.md comes from the command line's own declarations, docs/reference/schemas.md from the published JSON
Schemas. tests/docs/test_reference_pages.py fails when a page is not what would be written.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any

import typer

from crossdock.canonical.objects import OBJECTS, json_schema
from crossdock.cli.main import COMMANDS, build

_NOTE = "<!-- Written by `python -m tools.write_reference` (`make docs` does it); a test compares. Do not edit. -->"


def cli_page() -> str:
    """The page about every command, argument and option."""
    root: Any = typer.main.get_command(build(list(COMMANDS)))
    lines = [
        "# Command line",
        "",
        _NOTE,
        "",
        "An option's variable, where it has one, is read when the option is not given. Exit codes of operator commands",
        "are under [the books](books.md#exit-codes-of-operator-commands).",
        "",
    ]
    for name in COMMANDS:
        lines += _command(f"crossdock {name}", root.commands[name])
    return "\n".join(lines).rstrip() + "\n"


def _command(name: str, command: Any) -> Iterator[str]:
    inner = getattr(command, "commands", {})
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    yield f"## {name}"
    yield ""
    for paragraph in cleandoc(command.help or "").split("\n\n"):
        yield " ".join(paragraph.split())
        yield ""
    if not inner:
        words = [_usage(one) for one in arguments]
        yield "    " + " ".join([name, *(["[options]"] if options else []), *words])
        yield ""
    if arguments or options:
        yield "| argument or option | meaning | default | variable |"
        yield "|---|---|---|---|"
        for one in (*arguments, *options):
            yield f"| {_title(one)} | {_cell(one.help or '')} | {_default(one)} | {_variable(one)} |"
        yield ""
    for word, one in inner.items():
        yield from _command(f"{name} {word}", one)


def _usage(argument: Any) -> str:
    word = argument.name.upper() + ("…" if argument.nargs == -1 else "")
    return word if argument.required else f"[{word}]"


def _title(one: Any) -> str:
    if one.param_type_name == "argument":
        return f"`{_usage(one)}`"
    names = ", ".join(f"`{name}`" for name in sorted(one.opts, key=len, reverse=True))
    return names + (" (required)" if one.required else "")


def _default(one: Any) -> str:
    value = one.default
    shown = getattr(one, "show_default", None)
    if isinstance(shown, str):
        return shown
    if one.required or value is None or isinstance(value, bool) or value in ("", (), []) or callable(value):
        return ""
    return f"`{value}`"


def _variable(one: Any) -> str:
    return f"`{one.envvar}`" if one.envvar else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def schemas_page() -> str:
    """The page about every canonical object and its fields."""
    lines = [
        "# Canonical objects",
        "",
        _NOTE,
        "",
        "`GET /schemas` lists them, `GET /schemas/{object}/{version}` gives a JSON Schema (2020-12). Decimals travel",
        'as strings (`"184.50"`), times as ISO 8601 in UTC. A field with a default may be left out.',
        "",
        "| object | version | is |",
        "|---|---|---|",
    ]
    definitions: dict[str, Any] = {}
    for name, (version, cls) in OBJECTS.items():
        definitions.update(json_schema(name, version)["$defs"])
        lines.append(f"| [`{name}`](#{cls.__name__.lower()}) | {version} | {_first_line(definitions[cls.__name__])} |")
    lines.append("")
    for title in sorted(definitions):
        lines += _object(title, definitions[title])
    return "\n".join(lines).rstrip() + "\n"


def _first_line(schema: dict[str, Any]) -> str:
    return _cell(cleandoc(schema.get("description", "")).split("\n")[0])


def _object(title: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    yield " ".join(cleandoc(schema.get("description", "")).split())
    yield ""
    yield "| field | type | needed |"
    yield "|---|---|---|"
    for field, kind in schema["properties"].items():
        yield f"| `{field}` | {_cell(_type(kind))} | {'yes' if field in schema.get('required', ()) else ''} |"
    yield ""


def _type(kind: dict[str, Any]) -> str:
    if "$ref" in kind:
        name = kind["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in kind:
        return " or ".join(_type(one) for one in kind["anyOf"])
    if "enum" in kind:
        return " · ".join(f"`{value}`" for value in kind["enum"])
    if kind.get("type") == "array":
        return f"list of {_type(kind['items'])}"
    words = [kind.get("format", kind.get("type", "anything"))]
    if "maxLength" in kind:
        words.append(f"at most {kind['maxLength']} characters")
    if "description" in kind:
        words.append(kind["description"])
    return ", ".join(words)


PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/cli.md": cli_page,
    "docs/reference/schemas.md": schemas_page,
}


def main(arguments: list[str]) -> int:
    """Write the pages under ROOT (here)."""
    root = Path(arguments[0] if arguments else ".")
    for name, page in PAGES.items():
        (root / name).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
