# SPDX-License-Identifier: Apache-2.0
"""Talk to the simulators' control surface: make things happen, and ask what they counted themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import msgspec

from crossdock.errors import EngineAway
from crossdock.runtime.http import call, open_session

RUN_SECONDS = 0.2


class Control:
    """The control surface of every simulator, by system name."""

    def __init__(self, urls: dict[str, str]) -> None:
        self._urls = urls
        self._session = open_session(total=60)

    @property
    def systems(self) -> Collection[str]:
        """The simulators there are."""
        return self._urls.keys()

    async def close(self) -> None:
        """Hang up."""
        await self._session.close()

    async def get(self, system: str, what: str) -> Any:
        """What a simulator holds or counted. EngineAway when it does not answer with 200."""
        return await self._call("GET", system, what, None)

    async def post(self, system: str, what: str, body: Any) -> Any:
        """Make a simulator do something."""
        return await self._call("POST", system, what, body)

    async def delete(self, system: str, what: str) -> Any:
        """Make a simulator stop doing something."""
        return await self._call("DELETE", system, what, None)

    async def subscribe(self, system: str, topics: list[str], base: str) -> None:
        """Have a simulator send its webhooks of `topics` to the gateway at `base`; `shopify` is `shopify-us` there."""
        name = {"shopify": "shopify-us"}.get(system, system)
        for topic in topics:
            await self.post(system, "subscriptions", {"topic": topic, "url": f"{base}/hooks/{name}/{topic}"})

    async def finish(self, system: str, run: Any) -> None:
        """Wait until a run that was started has made everything it should. EngineAway when it failed midway."""
        while True:
            state = await self.get(system, f"runs/{run['id']}")
            if state["state"] == "failed":
                made = f"{state['made']} of {state['wanted']}"
                raise EngineAway(f"simulator {system}: run {run['id']} failed after {made}: {state['error']}")
            if state["state"] != "running":
                return
            await asyncio.sleep(RUN_SECONDS)

    async def _call(self, method: str, system: str, what: str, body: Any) -> Any:
        data = None if body is None else msgspec.json.encode(body)
        answer = await call(self._session, method, f"{self._urls[system]}/_sim/{what}", body=data)
        if not answer.ok:
            raise EngineAway(f"simulator {system}: {method} {what} answered {answer.status}: {answer.body[:300]!r}")
        return msgspec.json.decode(answer.body) if answer.body else None
