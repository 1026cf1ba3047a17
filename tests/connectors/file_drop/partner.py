# SPDX-License-Identifier: Apache-2.0
"""A partner's SFTP server, real and on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import asyncssh

PASSWORD = "right"


class Partner(NamedTuple):
    """An SFTP server: its root and how a feed names it."""

    root: Path
    source: dict[str, object]


class _Server(asyncssh.SSHServer):
    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("crossdock", PASSWORD)


@asynccontextmanager
async def serving(root: Path) -> AsyncIterator[Partner]:
    """The server on `root`, with a folder `out`, as long as the block."""
    (root / "out").mkdir(parents=True)
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=_Server,
        server_host_keys=[host_key],
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(root).encode()),
    )
    source: dict[str, object] = {
        "host": "127.0.0.1",
        "port": server.get_port(),
        "user": "crossdock",
        "host_key": host_key.export_public_key().decode().strip(),
        "folder": "out",
        "password": "env:SFTP_PASSWORD",
    }
    yield Partner(root, source)
    server.close()
    await server.wait_closed()
