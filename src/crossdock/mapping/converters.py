# SPDX-License-Identifier: Apache-2.0
"""The standard converters by name, and the look-up of a mapping's own ones.

A converter is a function of a value and plain arguments. It is never called with a missing value; None from it means
missing. It raises ValueError (best Unreadable, with a fix) for a value it cannot take.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from typing import Any

from crossdock.canonical.money import Money
from crossdock.canonical.quantity import Quantity
from crossdock.mapping.convert_country import CODES, country
from crossdock.mapping.convert_number import (
    absolute,
    add,
    boolean,
    decimal,
    integer,
    json_number,
    money,
    multiply,
    negate,
    quantity,
    subtract,
    to_round,
    to_sum,
)
from crossdock.mapping.convert_text import (
    concat,
    cut,
    first,
    gid_tail,
    join,
    lower,
    match,
    pad_left,
    pick,
    prefix,
    replace,
    split,
    squeeze,
    strip,
    suffix,
    text,
    then,
    to_length,
    upper,
)
from crossdock.mapping.convert_time import epoch_ms, from_epoch, from_epoch_ms, iso, iso_date, to_datetime, zone_named
from crossdock.mapping.failures import MappingError, Unreadable
from crossdock.mapping.paths import is_path
from crossdock.sdk.words import Converter

Convert = Callable[..., Any]

CONVERTERS: dict[str, Convert] = {
    "abs": absolute,
    "add": add,
    "boolean": boolean,
    "concat": concat,
    "country": country,
    "cut": cut,
    "datetime": to_datetime,
    "decimal": decimal,
    "epoch_ms": epoch_ms,
    "first": first,
    "from_epoch": from_epoch,
    "from_epoch_ms": from_epoch_ms,
    "gid_tail": gid_tail,
    "integer": integer,
    "iso": iso,
    "iso_date": iso_date,
    "join": join,
    "json_number": json_number,
    "length": to_length,
    "lower": lower,
    "match": match,
    "money": money,
    "multiply": multiply,
    "negate": negate,
    "pad_left": pad_left,
    "pick": pick,
    "prefix": prefix,
    "quantity": quantity,
    "replace": replace,
    "round": to_round,
    "split": split,
    "squeeze": squeeze,
    "strip": strip,
    "subtract": subtract,
    "suffix": suffix,
    "sum": to_sum,
    "text": text,
    "then": then,
    "upper": upper,
}
# Converters whose result is always of one kind that its field takes without looking again.
RESULTS: dict[str, type] = {
    "money": Money,
    "quantity": Quantity,
    "decimal": Decimal,
    "datetime": datetime,
    "from_epoch": datetime,
    "from_epoch_ms": datetime,
    "boolean": bool,
}
# Converters that take the list of `sources`; any other first converter would be handed a list it cannot read.
LIST_READERS = frozenset({"concat", "join", "first", "sum", "length"})


def named(converter: Converter) -> tuple[str, tuple[Any, ...]]:
    """Name and arguments of a converter as the words write it. MappingError when it is written otherwise."""
    if isinstance(converter, str):
        return converter, ()
    if not converter or not isinstance(converter[0], str):
        raise MappingError(f"{converter!r} is no converter", fix='write a name or ["name", argument, …]')
    return converter[0], tuple(converter[1:])


def own_converters(module: str) -> dict[str, Convert]:
    """The public functions that `module` itself defines.

    MappingError when it cannot be imported or redefines a standard converter.
    """
    if not module:
        return {}
    try:
        loaded = import_module(module)
    except ImportError as error:
        raise MappingError(f"functions: {module} cannot be imported: {error}", fix="correct the module path") from error
    own: dict[str, Convert] = {
        name: function
        for name, function in inspect.getmembers(loaded, inspect.isfunction)
        if not name.startswith("_") and function.__module__ == loaded.__name__
    }
    hidden = sorted(own.keys() & CONVERTERS.keys())
    if hidden:
        raise MappingError(f"functions: {module} redefines the standard {', '.join(hidden)}", fix="choose other names")
    return own


def check_arguments(name: str, convert: Convert, arguments: tuple[Any, ...]) -> None:
    """Raise MappingError when `arguments` cannot be right for the converter `name`: their number, a constant's kind."""
    try:
        inspect.signature(convert).bind(object(), *arguments)
    except TypeError as error:
        raise MappingError(
            f"converter {name} takes other arguments: {error}", fix=f"write {usage(name, convert)}"
        ) from error
    check = _CONSTANTS.get(name)
    if check is None:
        return
    try:
        for place, argument in enumerate(arguments):
            if not is_path(argument):
                check(place, argument)
    except Unreadable as error:
        raise MappingError(
            f"converter {name}: {error.reason}", fix=error.fix or f"write {usage(name, convert)}"
        ) from error


def usage(name: str, convert: Convert) -> str:
    """How the converter `name` is written, as `money(currency, mark='.')`."""
    parameters = list(inspect.signature(convert).parameters.values())[1:]
    shown = [
        parameter.name if parameter.default is parameter.empty else f"{parameter.name}={parameter.default!r}"
        for parameter in parameters
    ]
    return f"{name}({', '.join(shown)})" if shown else name


def _wants(place: int, argument: Any, at: int, kind: type) -> None:
    if place == at and (not isinstance(argument, kind) or isinstance(argument, bool)):
        raise Unreadable(f"{argument!r} should be {'a whole number' if kind is int else 'a text'}")


def _check_money(place: int, argument: Any) -> None:
    if place == 0:
        money("0", argument)
    else:
        _check_mark(place, argument)


def _check_quantity(place: int, argument: Any) -> None:
    if place == 0:
        quantity("0", argument)
    else:
        _check_mark(place, argument)


def _check_mark(place: int, argument: Any) -> None:
    if argument not in (".", ","):
        raise Unreadable(f"{argument!r} is no decimal mark", 'use "." or ","')


def _check_datetime(place: int, argument: Any) -> None:
    if place == 0 and argument is not None:
        zone_named(str(argument))


def _check_table(place: int, argument: Any) -> None:
    if place == 0 and not (isinstance(argument, dict) and argument):
        raise Unreadable("it needs a table of values", 'write ["match", {"theirs": "ours"}]')


def _check_countries(place: int, argument: Any) -> None:
    _check_table(place, argument)
    for name, code in argument.items():
        if code not in CODES:
            raise Unreadable(f"{code!r} (for {name!r}) is not an ISO 3166 code", "use a code such as GB")


def _check_pad(place: int, argument: Any) -> None:
    _wants(place, argument, 0, int)
    _wants(place, argument, 1, str)
    if place == 1 and len(argument) != 1:
        raise Unreadable(f"{argument!r} is not one character")


def _check_round(place: int, argument: Any) -> None:
    _wants(place, argument, 0, int)
    if not 0 <= argument <= 12:
        raise Unreadable(f"{argument} decimals cannot be kept", "use 0 to 12")


def _check_cut(place: int, argument: Any) -> None:
    _wants(place, argument, 0, int)
    if argument < 1:
        raise Unreadable(f"{argument} leaves nothing")


def _check_split(place: int, argument: Any) -> None:
    _wants(place, argument, 0, str)
    _wants(place, argument, 1, int)
    if argument == "":
        raise Unreadable("the separator is empty")


def _check_text(place: int, argument: Any) -> None:
    _wants(place, argument, place, str)


_CONSTANTS: dict[str, Callable[[int, Any], None]] = {
    "money": _check_money,
    "quantity": _check_quantity,
    "decimal": _check_mark,
    "datetime": _check_datetime,
    "iso_date": _check_datetime,
    "match": _check_table,
    "country": _check_countries,
    "pad_left": _check_pad,
    "round": _check_round,
    "cut": _check_cut,
    "split": _check_split,
    "concat": _check_text,
    "join": _check_text,
    "replace": _check_text,
}
