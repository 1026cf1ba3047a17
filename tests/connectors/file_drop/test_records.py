# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.connectors.file_drop.records import MAX_LINE_BYTES, read_records


def records(content: bytes, encoding="utf-8", delimiter=",", multiline=False):
    return list(read_records(io.BytesIO(content), encoding=encoding, delimiter=delimiter, multiline=multiline))


def test_records_know_their_row_and_bytes():
    first, second = records(b'a,b\r\n\r\n"x, y","say ""hi"""\n')
    assert (first.row, first.start, first.end, first.fields) == (1, 0, 5, ["a", "b"])
    assert (second.row, second.start, second.end, second.fields) == (3, 7, 27, ["x, y", 'say "hi"'])


def test_the_last_line_needs_no_end():
    assert [record.fields for record in records(b"a,b\nc,d")] == [["a", "b"], ["c", "d"]]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'"open,1', "a quote is opened and not closed"),
        (b'"a"b,1', "a quote is opened and not closed, or stands inside"),
        (b"caf\xe9,1", "byte 4 of the line is not utf-8"),
        (b"a\x00,1", "the line holds a NUL byte"),
    ],
)
def test_a_bad_line_spoils_itself_only(line, problem):
    before, bad, after = records(b"a,1\n" + line + b"\nb,2\n")
    assert bad.problem.startswith(problem)
    assert len(bad.fields) == 2
    assert (before.fields, after.fields, after.row) == (["a", "1"], ["b", "2"], 3)


def test_a_line_without_end_is_cut_and_left_behind():
    long, after = records(b"x" * (MAX_LINE_BYTES * 2 + 5) + b"\nb,2\n")
    assert long.problem == f"the line is longer than {MAX_LINE_BYTES} bytes"
    assert len(long.fields[0]) == 1000
    assert (after.row, after.fields, after.start) == (2, ["b", "2"], MAX_LINE_BYTES * 2 + 6)


def test_latin_1_and_semicolons():
    assert records("café;1\n".encode("latin-1"), "latin-1", ";")[0].fields == ["café", "1"]


def test_a_quoted_field_may_go_on_where_the_feed_says_so():
    content = b'a,"two\nlines"\nb,2\n'
    assert [(record.row, record.fields) for record in records(content, multiline=True)] == [
        (1, ["a", "two\nlines"]),
        (3, ["b", "2"]),
    ]
    assert [(record.problem != "", len(record.fields)) for record in records(content)] == [
        (True, 2),
        (False, 1),
        (False, 2),
    ]


def test_a_forgotten_quote_spoils_its_line_only_even_with_multiline():
    content = b'a,"open\n' + b"b,2\n" * 200
    found = records(content, multiline=True)
    assert found[0].problem.startswith("a quote is opened")
    assert [record.row for record in found[1:]] == list(range(2, 202))


_FIELD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r\n"), max_size=8)


@given(st.lists(st.lists(_FIELD, min_size=2, max_size=4), min_size=1, max_size=20))
def test_what_the_csv_module_writes_is_read_back(rows):
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    content = out.getvalue().encode()
    found = records(content)
    assert [record.fields for record in found] == rows
    assert all(content[record.start : record.end].endswith(b"\r\n") for record in found)


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_give_records_that_cover_the_file_in_order(content, multiline):
    at = 0
    for record in records(content, multiline=multiline):
        assert record.start >= at
        assert content[at : record.start].isspace() or record.start == at
        at = record.end
    assert content[at:].isspace() or at == len(content)
