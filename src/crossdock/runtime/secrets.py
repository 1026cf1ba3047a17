# SPDX-License-Identifier: Apache-2.0
"""Secrets are references in files and opaque values in memory; neither logs, errors nor `repr` show them."""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from crossdock.errors import NeedsConfig

_LARGEST_FILE = 64 * 1024


class Secret:
    """A value that is shown only to who asks for it by `reveal()`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself. Never log it, never put it in an error."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    __hash__ = None  # type: ignore[assignment]  # as a key it would end up in a listing

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled; pass its reference and resolve it there")


def resolve(
    reference: str,
    *,
    base: Path | None = None,
    environment: Mapping[str, str] | None = None,
    where: str = "",
) -> Secret:
    """The secret that `reference` ("env:NAME" or "file:PATH") names.

    `base`: folder that relative paths start from (default: the current one). `where`: place of the reference in its
    document, for the message. Raises NeedsConfig, which never repeats what might itself be a secret.
    """
    kind, separator, name = reference.partition(":")
    if separator and kind == "env" and name.isidentifier():
        return _from_environment(name, os.environ if environment is None else environment, where)
    if separator and kind == "file" and name:
        return _from_file((base or Path()) / Path(name).expanduser(), where)
    raise NeedsConfig(
        f"{where or 'a secret'} is not a reference to a secret",
        field=where,
        rule="secret_reference",
        fix="write env:NAME or file:PATH; values themselves are not accepted here",
    )


def _from_environment(name: str, environment: Mapping[str, str], where: str) -> Secret:
    value = environment.get(name, "")
    if not value:
        raise NeedsConfig(
            f"the environment variable {name} is not set or empty",
            field=where,
            rule="secret_missing",
            fix=f"set {name} for this process and start it again",
        )
    return Secret(value)


def _from_file(path: Path, where: str) -> Secret:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
        value = content.decode().rstrip("\r\n")
    except OSError as error:
        raise _bad_file(path, where, error.strerror or "cannot be read") from error
    except UnicodeDecodeError as error:
        raise _bad_file(path, where, "is not UTF-8 text") from error
    if len(content) > _LARGEST_FILE:
        raise _bad_file(path, where, f"is larger than {_LARGEST_FILE} bytes")
    if not value:
        raise _bad_file(path, where, "is empty")
    return Secret(value)


def _bad_file(path: Path, where: str, why: str) -> NeedsConfig:
    return NeedsConfig(
        f"the secret file {path}: {why}",
        field=where,
        rule="secret_missing",
        fix="put the secret in that file, readable for the account that runs Crossdock",
    )
