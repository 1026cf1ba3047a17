# SPDX-License-Identifier: Apache-2.0
"""Scripts and styles that npm built into `static/`, read once at start and served from memory."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


def _read() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(FOLDER.glob("*.*")) if path.suffix in _TYPES}


_FILES: Final = _read()
_DIGESTS: Final = {name: hashlib.sha256(body).hexdigest()[:12] for name, body in _FILES.items()}


def address(name: str) -> str:
    """The address of a bundled file; it changes with the content. Empty when the bundle has not been built."""
    return f"/console/static/{name}?v={_DIGESTS[name]}" if name in _FILES else ""


@get("/static/{name:str}", include_in_schema=False)
async def bundled_file(name: FromPath[str]) -> Response[bytes]:
    """One bundled file, to be kept by the browser for a year: another content has another address."""
    body = _FILES.get(name)
    if body is None:
        raise NotFoundException(detail=f"There is no bundled file {name!r}.")
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "ETag": f'"{_DIGESTS[name]}"'}
    return Response(body, media_type=_TYPES[Path(name).suffix], headers=headers)
