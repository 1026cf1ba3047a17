# SPDX-License-Identifier: Apache-2.0
"""A supervising process for the tests: starts engines in the given data folder, tells about them, waits for its end."""

from __future__ import annotations

import asyncio
import json
import os
import sys

from crossdock.runtime.embedded import Engines
from crossdock.runtime.telemetry import configure_logs
from crossdock.settings import Settings


async def main() -> None:
    configure_logs()
    settings = Settings.from_environment({}, data=sys.argv[1])
    async with Engines.start(settings) as engines:
        assert engines.postgres
        assert engines.nats
        told = {
            "database_url": engines.database_url,
            "nats_url": engines.nats_url,
            "pids": [engines.postgres.pid, engines.nats.pid],
            "uid": os.geteuid(),
        }
        print(json.dumps(told), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
