# SPDX-License-Identifier: Apache-2.0
"""The trivial server that the bare script posts to: reads the body, answers 200."""

from __future__ import annotations

import sys

from aiohttp import web


async def take(request: web.Request) -> web.Response:
    """Read and answer."""
    await request.read()
    return web.Response(text="{}")


if __name__ == "__main__":
    application = web.Application()
    application.router.add_post("/", take)
    application.router.add_get("/", take)
    web.run_app(application, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
