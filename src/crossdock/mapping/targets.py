# SPDX-License-Identifier: Apache-2.0
"""What a mapping may fill: the fields of a canonical struct, with their types, read through msgspec."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from crossdock.mapping.checks import Check, check_for, check_of


class TargetField(msgspec.Struct, frozen=True):
    """A field a rule may fill: its annotation, its check, whether the target must have it, and what is inside of it.

    `nested`: the struct it holds; `listed`: it is a tuple or list; `element`: the struct its elements are, `item`:
    their check.
    """

    hint: Any
    check: Check
    required: bool
    nested: type[msgspec.Struct] | None
    element: type[msgspec.Struct] | None
    item: Check | None
    listed: bool


@cache
def fields_of(cls: type[msgspec.Struct]) -> dict[str, TargetField]:
    """The fields of the struct `cls` by name."""
    infos = {field.name: field.type for field in _struct_info(cls).fields}
    fields: dict[str, TargetField] = {}
    for field in msgspec.structs.fields(cls):
        members = _members(infos[field.name])
        inner = members[0] if len(members) == 1 else None
        items = inner.item_type if isinstance(inner, inspect.VarTupleType | inspect.ListType) else None
        fields[field.name] = TargetField(
            hint=field.type,
            check=check_for(field.type),
            required=field.required,
            nested=_struct_in(inner),
            element=_struct_in(items),
            item=check_of(items, Any) if items is not None else None,
            listed=items is not None,
        )
    return fields


def _struct_info(cls: type[msgspec.Struct]) -> inspect.StructType:
    info = inspect.type_info(cls)
    if not isinstance(info, inspect.StructType):
        raise TypeError(f"{cls.__name__} is no struct")
    return info


def _members(info: inspect.Type) -> list[inspect.Type]:
    types = info.types if isinstance(info, inspect.UnionType) else (info,)
    return [member for member in types if not isinstance(member, inspect.NoneType)]


def _struct_in(info: inspect.Type | None) -> type[msgspec.Struct] | None:
    if isinstance(info, inspect.Metadata):
        info = info.type
    return info.cls if isinstance(info, inspect.StructType) else None
