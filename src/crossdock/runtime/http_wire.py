# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 (RFC 9112) without a network: a request as bytes, an answer out of bytes in whatever pieces they come."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping

_MOST_HEAD = 64 * 1024
_MOST_LINE = 4096
_STATUS = re.compile(r"HTTP/1\.([01]) ([1-9][0-9]{2})(?: .*)?")
_HEADERS = re.compile(r"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [^\r\n\0]*\r\n)*")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})
_BODIED = frozenset({"POST", "PUT", "PATCH"})
_GZIP, _ZLIB, _RAW = 31, 15, -15


class Unreadable(Exception):
    """What the other side sent is no answer."""


class TooLarge(Exception):
    """The answer is larger than the caller takes."""


class Headers(Mapping[str, str]):
    """The headers of an answer, looked up in any case; one that came twice is joined by ", "."""

    __slots__ = ("_by_name",)

    def __init__(self, by_name: dict[str, str]) -> None:
        """`by_name`: by the name in lower case."""
        self._by_name = by_name

    def __getitem__(self, name: str) -> str:
        return self._by_name[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __repr__(self) -> str:
        return f"Headers({self._by_name!r})"


def request_bytes(method: str, target: str, always: Mapping[str, str], given: Mapping[str, str], body: bytes) -> bytes:
    """A whole request. `always`: header lines by name in lower case, of which those in `given` take the place.

    Raises ValueError for headers that would say something else than they seem to (line breaks) or that frame the
    message.
    """
    names = {name.lower() for name in given}
    if not names.isdisjoint(_FRAMING):
        raise ValueError(f"{', '.join(sorted(names & _FRAMING))} is no header to be set by a caller")
    each = [line for name, line in always.items() if name not in names]
    each += [f"{name}: {value}\r\n" for name, value in given.items()]
    lines = "".join(each)
    # Counted too: a value with a line break in it may look like two good lines.
    if lines.count("\n") != len(each) or _HEADERS.fullmatch(lines) is None or _TOKEN.fullmatch(method) is None:
        raise ValueError("a header's name or value holds what no header can hold")
    length = f"Content-Length: {len(body)}\r\n" if body or method in _BODIED else ""
    return f"{method} {target} HTTP/1.1\r\n{lines}{length}\r\n".encode() + body


class Reader:
    """Reads one answer. `feed` takes bytes until it says that the answer is whole; then `status`, `headers`, `body`."""

    __slots__ = ("_chunked", "_held", "_largest", "_left", "_parts", "_silent", "_size", "headers", "keeps", "status")

    def __init__(self, method: str, largest: int) -> None:
        """`largest`: bytes of a body, unpacked or not, that are taken at most."""
        self.status = 0
        self.headers = Headers({})
        self.keeps = False
        self._largest = largest
        self._silent = method == "HEAD"
        self._held = b""
        self._parts: list[bytes] = []
        self._size = 0
        # Bytes of the body (or chunk) still to come; -1: until the connection ends, or none before the head is read.
        self._left = -1
        self._chunked = False

    @property
    def begun(self) -> bool:
        """Something of an answer has come."""
        return bool(self.status or self._held)

    def feed(self, data: bytes) -> bool:
        """Take more bytes; True when the answer is whole. Raises Unreadable, TooLarge."""
        if self._held:
            data = self._held + data
            self._held = b""
        while not self.status:
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                if len(head) > _MOST_HEAD:
                    raise Unreadable("its headers are too long")
                self._held = head
                return False
            self._take_head(head)
        if self._chunked:
            return self._take_chunks(data)
        return self._take_plain(data)

    def end(self) -> bool:
        """The connection has ended; True when that makes the answer whole."""
        return bool(self.status) and self._left == -1 and not self._chunked

    def body(self) -> bytes:
        """The body, unpacked. Raises Unreadable, TooLarge."""
        whole = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        packed = self.headers.get("content-encoding", "").strip().lower()
        if not packed or packed == "identity" or not whole:
            return whole
        return _unpacked(whole, packed, self._largest)

    def _take_head(self, head: bytes) -> None:
        lines = head.decode("latin-1").split("\r\n")
        if len(head) > _MOST_HEAD or b"\0" in head or head.count(b"\n") != len(lines) - 1:
            raise Unreadable("its headers are malformed")
        start = _STATUS.fullmatch(lines[0])
        if start is None:
            raise Unreadable("it does not begin as an answer")
        status = int(start[2])
        if status == 101:
            raise Unreadable("it changes to another protocol")
        if status < 200:
            # An interim answer; the one that counts follows.
            return
        named: dict[str, str] = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or _TOKEN.fullmatch(name) is None:
                raise Unreadable("its headers are malformed")
            name, value = name.lower(), value.strip(" \t")
            named[name] = f"{named[name]}, {value}" if name in named else value
        self.status, self.headers = status, Headers(named)
        tokens = named.get("connection", "").lower()
        self.keeps = "close" not in tokens if start[1] == "1" else "keep-alive" in tokens
        self._frame(named)

    def _frame(self, named: dict[str, str]) -> None:
        """How long the body is (RFC 9112, 6.3)."""
        coding, length = named.get("transfer-encoding"), named.get("content-length")
        if self._silent or self.status in (204, 304):
            self._left = 0
        elif coding is not None:
            if coding.lower() != "chunked":
                raise Unreadable(f"transfer coding {coding[:40]!r} was not asked for")
            self._chunked = True
            self.keeps = self.keeps and length is None
        elif length is not None:
            if _LENGTH.fullmatch(length) is None:
                raise Unreadable("its length is no number")
            self._left = int(length)
            if self._left > self._largest:
                raise TooLarge(f"the answer is larger than {self._largest} bytes")
        else:
            self.keeps = False

    def _take_plain(self, data: bytes) -> bool:
        if self._left < 0:
            self._add(data)
            return False
        if len(data) > self._left:
            # More than was announced: whose bytes these are, nobody knows.
            self.keeps = False
            data = data[: self._left]
        self._left -= len(data)
        self._add(data)
        return not self._left

    def _take_chunks(self, data: bytes) -> bool:
        """`_left` bytes of a chunk are still to come, -1: its size line, -2: the line break after it, -3: trailers."""
        at = 0
        while True:
            if self._left > 0:
                part = data[at : at + self._left]
                at += len(part)
                self._left -= len(part)
                self._add(part)
                if self._left:
                    return False
                self._left = -2
            end = data.find(b"\r\n", at)
            if end < 0 or end - at > _MOST_LINE:
                if len(data) - at > _MOST_LINE:
                    raise Unreadable("a chunk's size is too long")
                self._held = data[at:]
                return False
            line, at = data[at:end], end + 2
            if self._left == -3:
                if not line:
                    self.keeps = self.keeps and at == len(data)
                    return True
            elif self._left == -2:
                if line:
                    raise Unreadable("a chunk is longer than it says")
                self._left = -1
            else:
                size = _CHUNK.fullmatch(line)
                if size is None:
                    raise Unreadable("a chunk's size is no number")
                self._left = int(size[1], 16) or -3

    def _add(self, data: bytes) -> None:
        if not data:
            return
        self._size += len(data)
        if self._size > self._largest:
            raise TooLarge(f"the answer is larger than {self._largest} bytes")
        self._parts.append(data)


def _unpacked(packed: bytes, how: str, largest: int) -> bytes:
    if how in ("gzip", "x-gzip"):
        window = _GZIP
    elif how == "deflate":
        # Some servers leave the zlib frame out: it begins with 8 in the low half, and is a multiple of 31.
        framed = packed[0] & 0x0F == 8 and int.from_bytes(packed[:2], "big") % 31 == 0
        window = _ZLIB if framed else _RAW
    else:
        raise Unreadable(f"content coding {how[:40]!r} was not asked for")
    whole = b""
    try:
        while packed:
            unpack = zlib.decompressobj(window)
            whole += unpack.decompress(packed, largest + 1 - len(whole))
            if len(whole) > largest:
                raise TooLarge(f"the answer is larger than {largest} bytes")
            if not unpack.eof:
                raise Unreadable("its packed body is cut short")
            packed = unpack.unused_data
    except zlib.error as error:
        raise Unreadable(f"its body cannot be unpacked ({error})") from error
    return whole
