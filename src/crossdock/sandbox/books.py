# SPDX-License-Identifier: Apache-2.0
"""A simulator's own books: tables of JSON values, kept through a restart by an append-only JSONL file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any

import msgspec


class Books:
    """Tables (name → key → JSON value) and counters.

    With a path every change is one line handed to the operating system before the call returns: it survives kill -9
    of the
    simulator, not a power cut. A last line that was cut short by a kill is dropped. The file is compacted when it is
    opened.
    """

    def __init__(self, path: str | None = None) -> None:
        self.tables: dict[str, dict[str, Any]] = {}
        self.counters: dict[str, int] = {}
        self._path = Path(path) if path else None
        self._file: IO[bytes] | None = None
        self._encoder = msgspec.json.Encoder()
        if self._path is not None:
            self._load(self._path)
            self._compact(self._path)

    def table(self, name: str) -> dict[str, Any]:
        return self.tables.setdefault(name, {})

    def put(self, table: str, key: str, value: Any) -> None:
        self.table(table)[key] = value
        self._write({"t": table, "k": key, "v": value})

    def drop(self, table: str, key: str) -> None:
        self.table(table).pop(key, None)
        self._write({"t": table, "k": key})

    def bump(self, counter: str, by: int = 1) -> int:
        value = self.counters.get(counter, 0) + by
        self.counters[counter] = value
        self._write({"c": counter, "v": value})
        return value

    def clear(self) -> None:
        for table in self.tables.values():
            table.clear()
        self.counters.clear()
        if self._file is not None:
            self._file.truncate(0)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(self._encoder.encode(line) + b"\n")

    def _load(self, path: Path) -> None:
        if not path.exists():
            return
        decode = msgspec.json.Decoder().decode
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    break
                try:
                    self._apply(decode(line))
                except (msgspec.DecodeError, KeyError) as error:
                    raise ValueError(
                        f"{path} line {number} is not a line of simulator books; move the file away"
                    ) from error

    def _apply(self, entry: dict[str, Any]) -> None:
        if "c" in entry:
            self.counters[entry["c"]] = entry["v"]
        elif "v" in entry:
            self.table(entry["t"])[entry["k"]] = entry["v"]
        else:
            self.table(entry["t"]).pop(entry["k"], None)

    def _compact(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(path.name + ".new")
        # Unbuffered: a line belongs to the kernel as soon as it is written, so a killed simulator loses none.
        self._file = fresh.open("ab", buffering=0)
        self._file.truncate(0)
        for table, rows in self.tables.items():
            for key, value in rows.items():
                self._write({"t": table, "k": key, "v": value})
        for counter, value in self.counters.items():
            self._write({"c": counter, "v": value})
        os.replace(fresh, path)
