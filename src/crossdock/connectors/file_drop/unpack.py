# SPDX-License-Identifier: Apache-2.0
"""Plain bytes of a file that may be gzipped, bounded, with offsets that can be read again."""

from __future__ import annotations

import gzip
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crossdock.errors import Refused

_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"


@contextmanager
def unpacked(path: Path, limit: int) -> Iterator[Path]:
    """`path`, or where its unpacked content lies meanwhile. Refused when broken or larger than `limit` bytes."""
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    if not packed:
        if path.stat().st_size > limit:
            raise _too_large(limit)
        yield path
        return
    with tempfile.NamedTemporaryFile(prefix="crossdock-", suffix=".csv") as plain:
        size = 0
        try:
            with gzip.open(path) as source:
                while chunk := source.read(_CHUNK):
                    size += len(chunk)
                    if size > limit:
                        raise _too_large(limit)
                    plain.write(chunk)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise Refused(f"the file is gzipped and broken: {error}", rule="file", fix="send it again") from error
        plain.flush()
        yield Path(plain.name)


def _too_large(limit: int) -> Refused:
    return Refused(
        f"the file is larger than {limit} bytes", rule="file", fix="split it, or raise max_file_bytes of the feed"
    )
