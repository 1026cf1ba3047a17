# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from crossdock.sandbox.books import Books


def test_books_are_there_again_after_a_kill(tmp_path: Path) -> None:
    path = str(tmp_path / "books.jsonl")
    books = Books(path)
    books.put("orders", "1", {"n": 1})
    books.put("orders", "2", {"n": 2})
    books.drop("orders", "1")
    books.bump("seen", 3)
    again = Books(path)  # the first one was never closed, as after kill -9
    assert again.table("orders") == {"2": {"n": 2}}
    assert again.counters == {"seen": 3}
    books.close()
    again.close()


def test_a_line_cut_short_is_dropped_and_writing_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "books.jsonl"
    books = Books(str(path))
    books.put("orders", "1", 1)
    books.close()
    with path.open("ab") as file:
        file.write(b'{"t":"orders","k":"2","v"')
    torn = Books(str(path))
    torn.put("orders", "3", 3)
    torn.close()
    again = Books(str(path))
    assert again.table("orders") == {"1": 1, "3": 3}
    again.close()


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "books.jsonl"
    path.write_text("hello\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 1"):
        Books(str(path))


def test_clear_forgets_also_the_file(tmp_path: Path) -> None:
    path = str(tmp_path / "books.jsonl")
    books = Books(path)
    books.put("orders", "1", 1)
    books.clear()
    books.put("orders", "2", 2)
    books.close()
    again = Books(path)
    assert again.table("orders") == {"2": 2}
    again.close()
