# SPDX-License-Identifier: Apache-2.0
"""Answers in whatever pieces they come, and what is no answer."""

from __future__ import annotations

import gzip
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.runtime.http_wire import Reader, TooLarge, Unreadable, request_bytes

OK = b"HTTP/1.1 200 OK\r\n"
RAW = zlib.compressobj(wbits=-15)
PACKED_RAW = RAW.compress(b"packed") + RAW.flush()

# The answer, its body, and whether the connection may be used again.
ANSWERS: list[tuple[bytes, bytes, bool]] = [
    (OK + b"Content-Length: 5\r\n\r\nhello", b"hello", True),
    (OK + b"Content-Length: 0\r\n\r\n", b"", True),
    (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b"", True),
    (b"HTTP/1.1 200\r\nContent-Length: 2\r\nConnection: Close\r\n\r\nhi", b"hi", False),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi", False),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi", b"hi", True),
    (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        + OK
        + b"Content-Length: 1\r\n\r\n1",
        b"1",
        True,
    ),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n", b"hello world", True),
    (OK + b"Transfer-Encoding: Chunked\r\n\r\n0A\r\n0123456789\r\n000\r\nTrailer: 1\r\n\r\n", b"0123456789", True),
    (OK + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n1\r\na\r\n0\r\n\r\n", b"a", False),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nmore", b"a", False),
    (OK + b"Content-Length: 2\r\n\r\nhi, and more", b"hi", False),
    (OK + b"\r\nuntil the end", b"until the end", False),
    *(
        (OK + b"Content-Encoding: " + how + b"\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed, b"packed", True)
        for how, packed in (
            (b"gzip", gzip.compress(b"packed", mtime=0)),
            (b"x-gzip", gzip.compress(b"pack", mtime=0) + gzip.compress(b"ed", mtime=0)),
            (b"deflate", zlib.compress(b"packed")),
            (b"deflate", PACKED_RAW),
            (b"identity", b"packed"),
        )
    ),
]


@given(st.sampled_from(ANSWERS), st.lists(st.integers(0, 200), max_size=12))
def test_an_answer_is_the_same_in_whatever_pieces_it_comes(answer: tuple[bytes, bytes, bool], cuts: list[int]) -> None:
    text, body, keeps = answer
    reader = Reader("POST", 1000)
    places = [0, *sorted(cuts), len(text)]
    done = False
    for start, end in pairwise(places):
        piece = text[start:end]
        if piece and not done:
            done = reader.feed(piece)
    assert done or reader.end()
    assert reader.body() == body
    # What came in the same piece as the end cannot be known when it comes later.
    assert not reader.keeps or keeps or done


@pytest.mark.parametrize(("text", "body", "keeps"), ANSWERS)
def test_an_answer_in_one_piece(text: bytes, body: bytes, keeps: bool) -> None:
    reader = Reader("POST", 1000)
    assert reader.feed(text) or reader.end()
    assert (reader.body(), reader.keeps) == (body, keeps)


def test_the_answer_to_head_has_no_body() -> None:
    reader = Reader("HEAD", 10)
    assert reader.feed(OK + b"Content-Length: 900\r\n\r\n")
    assert (reader.body(), reader.keeps) == (b"", True)


def test_headers_are_found_in_any_case_and_joined() -> None:
    reader = Reader("GET", 10)
    reader.feed(OK + b"ETag:  a \r\nVary: x\r\nVARY: y\r\nContent-Length: 0\r\n\r\n")
    assert (reader.headers["etag"], reader.headers["ETag"], reader.headers["vary"]) == ("a", "a", "x, y")
    assert reader.headers.get("Retry-After") is None


@pytest.mark.parametrize(
    "text",
    [
        b"what?\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        OK + b"No colon\r\n\r\n",
        OK + b"Space : before\r\n\r\n",
        OK + b"A: 1\r\n folded\r\n\r\n",
        OK + b"A: 1\nB: 2\r\n\r\n",
        OK + b"A: \0\r\n\r\n",
        OK + b"A: " + b"1" * 70_000,
        OK + b"Content-Length: two\r\n\r\n",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nx\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 5000,
    ],
)
def test_what_is_no_answer_is_refused(text: bytes) -> None:
    with pytest.raises(Unreadable):
        Reader("GET", 1000).feed(text)


@pytest.mark.parametrize(
    "text",
    [
        OK + b"Content-Length: 11\r\n\r\n",
        OK + b"\r\n" + b"x" * 11,
        OK + b"Transfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n5\r\n12345\r\n",
    ],
)
def test_no_more_is_taken_than_was_allowed(text: bytes) -> None:
    with pytest.raises(TooLarge):
        Reader("GET", 10).feed(text)


@pytest.mark.parametrize(
    ("how", "packed"),
    [(b"gzip", gzip.compress(b"packed", mtime=0)[:-3]), (b"gzip", b"plain"), (b"deflate", b"\xff\xff"), (b"br", b"x")],
)
def test_a_body_that_cannot_be_unpacked_is_refused(how: bytes, packed: bytes) -> None:
    reader = Reader("GET", 1000)
    assert reader.feed(OK + b"Content-Encoding: " + how + b"\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)
    with pytest.raises(Unreadable):
        reader.body()


@pytest.mark.parametrize(
    "text",
    [b"", OK, OK + b"Content-Length: 2\r\n\r\nx", OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n"],
)
def test_an_end_before_the_answer_is_whole_is_no_end(text: bytes) -> None:
    reader = Reader("GET", 1000)
    if text:
        assert not reader.feed(text)
    assert not reader.end()


def test_a_request_has_a_length_and_the_callers_headers_in_place_of_ours() -> None:
    always = {"host": "Host: h\r\n", "accept": "Accept: */*\r\n"}
    assert request_bytes("PUT", "/x", always, {"ACCEPT": "text/csv"}, b"ab") == (
        b"PUT /x HTTP/1.1\r\nHost: h\r\nACCEPT: text/csv\r\nContent-Length: 2\r\n\r\nab"
    )
    assert request_bytes("POST", "/", always, {}, b"").endswith(b"Content-Length: 0\r\n\r\n")
    assert b"Content-Length" not in request_bytes("GET", "/", always, {}, b"")
