# SPDX-License-Identifier: Apache-2.0
"""Serve simulated systems in a process of their own, as long as a block."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from msgspec import Struct

from crossdock.errors import EngineAway
from crossdock.runtime.spawn import Child
from crossdock.sandbox.serve import ServeConfig

READY_SECONDS = 20.0


class _Ready(Struct):
    ready: bool
    urls: dict[str, str]


@asynccontextmanager
async def simulators(folder: Path, config: ServeConfig) -> AsyncIterator[dict[str, str]]:
    """The simulators of `config`, running as long as the block; their addresses by name.

    Their settings, which hold secrets, and their log are kept in `folder`. EngineAway when they do not start.
    """
    settings = folder / "simulators.json"
    settings.touch(mode=0o600)
    settings.chmod(0o600)
    settings.write_bytes(msgspec.json.encode(config))
    log = folder / "simulators.log"
    log.unlink(missing_ok=True)
    child = Child(
        [sys.executable, "-m", "crossdock.sandbox.serve", "--config", str(settings)],
        stop=((signal.SIGTERM, 5.0),),
        output=log,
    )
    child.start()
    try:
        yield await _ready(log, child)
    finally:
        await child.stop()


def write_key(path: Path) -> str:
    """A new key pair for the ERP's machine-to-machine login: the private half in `path`, the public half as PEM."""
    key = generate_private_key(SECP256R1())
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


async def _ready(log: Path, child: Child) -> dict[str, str]:
    """The simulators' addresses, from the line they print when they answer."""
    loop = asyncio.get_running_loop()
    until = loop.time() + READY_SECONDS
    while loop.time() < until and child.running:
        first = _first_line(log)
        if first.startswith(b"{") and first.endswith(b"}\n"):
            return msgspec.json.decode(first, type=_Ready).urls
        await asyncio.sleep(0.05)
    raise EngineAway("the simulated systems did not start", fix=f"see {log}")


def _first_line(path: Path) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as file:
        return file.readline()
