# SPDX-License-Identifier: Apache-2.0
"""Tell the channel how many there are to sell: absolute numbers per SKU, 500 a call, an outcome for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Struct, field

from crossdock.canonical.stock import StockLevel
from crossdock.connectors.channel_rest.errors import LEVEL_STATUSES
from crossdock.errors import NeedsEdit, OutcomeUnknown, RetryLater
from crossdock.sdk.http_status import error_for, error_of_status
from crossdock.sdk.json_api import BatchCall, FieldError, JsonApi, send_batch, told_by
from crossdock.sdk.sending import Delivered, Exchange, Failed, Outcome, Outgoing

# Contract: 200 SKUs a look-up; fewer, so that the address stays below the 8 KB that web servers take.
_SKUS_A_CALL: Final = 50


class _Result(Struct):
    sku: str | None
    status: int
    result: str = ""
    sequence: int | None = None
    errors: list[FieldError] = field(default_factory=list)


class _Results(Struct):
    results: list[_Result]


class _Shown(Struct):
    sku: str
    sequence: int | None = None


class _ShownLevels(Struct):
    availability: list[_Shown]


class LevelPublisher:
    """Sets what the channel shows. `skus`: our SKU → the channel's where they differ."""

    def __init__(self, client: JsonApi, translate: Callable[[Any], Any], skus: Mapping[str, str]) -> None:
        self._client = client
        self._translate = translate
        self._skus = skus

    async def send(self, batch: Sequence[Outgoing]) -> list[Outcome]:
        """Set every level of `batch` (StockLevel documents) in one call; outcomes in the same order."""
        return await send_batch(self._client, _SET, batch, self._item)

    async def find(self, batch: Sequence[Outgoing]) -> list[Delivered | None]:
        """Which levels the channel was told already, or newer ones of their SKUs. Raises CallFailed, RetryLater."""
        names = [self._skus.get(item.document.sku, item.document.sku) for item in batch]
        told: dict[str, int] = {}
        unique = list(dict.fromkeys(names))
        for start in range(0, len(unique), _SKUS_A_CALL):
            wanted = ",".join(quote(sku, safe="") for sku in unique[start : start + _SKUS_A_CALL])
            content, _ = await self._client.request("GET", f"/availability?sku={wanted}")
            try:
                shown = msgspec.json.decode(content, type=_ShownLevels).availability
            except msgspec.DecodeError as error:
                raise RetryLater(f"the channel's answer could not be read: {error}", rule="answer") from error
            told.update((level.sku, level.sequence) for level in shown if level.sequence is not None)
        return [
            Delivered(reference=f"sequence {told[name]}")
            if told.get(name, -1) >= item.document.sequence and not item.document.location
            else None
            for name, item in zip(names, batch, strict=True)
        ]

    def _item(self, item: Outgoing) -> dict[str, Any]:
        level: StockLevel = item.document
        if level.location:
            raise NeedsEdit(
                f"the channel shows one number per SKU, and this is the level of location {level.location!r} alone",
                field="location",
                rule="channel_rest.location",
                value=level.location,
                fix="write summed: true for this channel under inventory.channels in the estate",
            )
        source = {"document": level, "known": item.known, "reference": item.reference, "names": {"sku": self._skus}}
        made: dict[str, Any] = self._translate(source)
        return made


def _outcome(result: _Result | None, sent: Mapping[str, Any], exchange: Exchange) -> Outcome:
    if result is None or result.sku not in (sent["sku"], None):
        unknown = OutcomeUnknown("the channel's answer leaves this SKU out", rule="answer")
        return Failed(error=unknown, exchange=exchange)
    if result.status == 200:
        # Stale: an equal or newer number is shown, which is all that telling this one was for.
        number = result.sequence if result.sequence is not None else sent["sequence"]
        return Delivered(reference=f"sequence {number}", exchange=exchange)
    first = result.errors[0] if result.errors else FieldError()
    if result.status in LEVEL_STATUSES:
        recovery = LEVEL_STATUSES[result.status]
        error = error_for(
            recovery, detail=told_by(result.errors), field=first.field, rule=first.code, value=sent["sku"]
        )
        return Failed(error=error, exchange=exchange)
    return Failed(error=error_of_status(LEVEL_STATUSES, result.status), exchange=exchange)


def _results(content: bytes) -> list[_Result]:
    return msgspec.json.decode(content, type=_Results).results


_SET: Final = BatchCall("PUT", "/availability", "items", _results, _outcome)
