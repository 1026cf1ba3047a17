# SPDX-License-Identifier: Apache-2.0
"""Take forecasts of demand: a later version of one replaces it whole, an older one changes nothing.

Forecasts of different ids add up, so a planning system gives one plan one id for as long as it is revised.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.objects import encode
from crossdock.canonical.stock import DemandForecast, ForecastPeriod
from crossdock.catalog.cache import Catalog
from crossdock.errors import NeedsEdit
from crossdock.inventory.whole import wholes
from crossdock.journal.decided import Decided, NewEvent, RefusedPart, Translated
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__, "planning.sql")
_MOST_DAYS = 366


class _Read(Struct, frozen=True):
    """A forecast's periods that may enter, and those that need a person. `whole`: the document it was split off, whose
    version it adds to; None = it is whole itself."""

    item: Translated
    periods: tuple[ForecastPeriod, ...]
    parts: tuple[RefusedPart, ...]
    whole: int | None


class _Stands(Struct, frozen=True):
    """The version of a forecast that stands, and the document that brought it."""

    version: int
    document_id: int


async def take_forecasts(
    conn: asyncpg.Connection, batch: Sequence[Translated], catalog: Catalog, channels: Container[str]
) -> list[Decided]:
    """Decide on forecasts, in the same order. A period that is not acceptable becomes a part of its own."""
    parents = await wholes(conn, batch)
    read = [_read(item, catalog, channels, parents) for item in batch]
    standing = await _standing(conn, read)
    decided: list[Decided] = []
    for one in read:
        document: DemandForecast = one.item.document
        stands = standing.get(document.forecast_id)
        stale = _stale(one, stands)
        if stale:
            decided.append(Decided(duplicate=True, note=stale))
            continue
        await _write(conn, one)
        if one.whole is None:
            standing[document.forecast_id] = _Stands(document.version, one.item.claimed.id)
        decided.append(_decide(one))
    return decided


def _stale(one: _Read, stands: _Stands | None) -> str:
    """Why the document changes nothing, "" when it does. A source that does not count versions (0) always says the
    newest; a part belongs to the document it was split off, and to no other of the same version."""
    document: DemandForecast = one.item.document
    if one.whole is not None:
        if stands is not None and one.whole == stands.document_id:
            return ""
        return f"forecast {document.forecast_id} as document {one.whole} brought it does not stand any more"
    if stands is None:
        return ""
    if document.version < stands.version or document.version == stands.version > 0:
        return f"version {document.version} of forecast {document.forecast_id} is not newer than {stands.version}"
    return ""


async def _standing(conn: asyncpg.Connection, read: Sequence[_Read]) -> dict[str, _Stands]:
    ids = sorted({one.item.document.forecast_id for one in read})
    await conn.execute(SQL.make_forecasts, ids)
    return {
        row["forecast_id"]: _Stands(row["version"], row["document_id"])
        for row in await conn.fetch(SQL.lock_forecasts, ids)
        if row["document_id"] is not None
    }


async def _write(conn: asyncpg.Connection, one: _Read) -> None:
    document: DemandForecast = one.item.document
    document_id = one.item.claimed.id
    if one.whole is None:
        await conn.execute(SQL.name_forecast, document.forecast_id, document.source, document.version, document_id)
        await conn.execute(SQL.clear_forecast, document.forecast_id)
    if one.periods:
        await conn.execute(
            SQL.write_periods,
            document.forecast_id,
            document.version,
            document_id,
            [period.sku for period in one.periods],
            [period.channel for period in one.periods],
            [period.starts_on for period in one.periods],
            [period.days for period in one.periods],
            [period.quantity for period in one.periods],
        )


def _read(item: Translated, catalog: Catalog, channels: Container[str], parents: Mapping[int, int]) -> _Read:
    document: DemandForecast = item.document
    good: dict[tuple[str, str, object], ForecastPeriod] = {}
    parts: list[RefusedPart] = []
    for ordinal, period in enumerate(document.periods, 1):
        error = _check(period, catalog, channels)
        key = (period.sku, period.channel, period.starts_on)
        if error is None and key in good and good[key] != period:
            error = NeedsEdit(
                f"{period.sku} has two figures from {period.starts_on} on",
                field="periods[0].starts_on",
                rule="forecast.twice",
                value=period.starts_on,
                fix="dismiss the one that is wrong, or correct its period",
            )
        if error is None:
            good[key] = period
        else:
            body = encode(replace(document, periods=(period,)))
            parts.append(RefusedPart(ordinal=ordinal, stage="canonical", body=body, error=error))
    parent = item.claimed.parent_id
    return _Read(item, tuple(good.values()), tuple(parts), None if parent is None else parents[parent])


def _check(period: ForecastPeriod, catalog: Catalog, channels: Container[str]) -> NeedsEdit | None:
    if period.sku not in catalog.products:
        return NeedsEdit(
            f"SKU {period.sku!r} is not in the catalog",
            field="periods[0].sku",
            rule="forecast.sku_known",
            value=period.sku,
            fix="add the product, map it in crosswalk `sku`, or put the right SKU",
        )
    if period.channel and period.channel not in channels:
        return NeedsEdit(
            f"there is no channel {period.channel!r}",
            field="periods[0].channel",
            rule="forecast.channel_known",
            value=period.channel,
            fix="put a channel of the estate, or leave it empty for all of them",
        )
    if not 1 <= period.days <= _MOST_DAYS:
        return NeedsEdit(
            f"a period of {period.days} days cannot be",
            field="periods[0].days",
            rule="forecast.days",
            value=period.days,
            fix=f"put 1 to {_MOST_DAYS} days",
        )
    if not period.quantity.is_finite() or not 0 <= period.quantity < 10**15:
        return NeedsEdit(
            f"{period.quantity} is no demand",
            field="periods[0].quantity",
            rule="forecast.quantity",
            value=period.quantity,
            fix="put the units that are expected to be sold, 0 or more",
        )
    return None


def _decide(one: _Read) -> Decided:
    document: DemandForecast = one.item.document
    head = {"forecast_id": document.forecast_id, "source": document.source, "version": document.version}
    data = encode({**head, "periods": len(one.periods), "skus": len({period.sku for period in one.periods})})
    note = f"{len(one.periods)} of {len(document.periods)} periods taken" if one.parts else ""
    events = (NewEvent(type="demand.forecast_taken", data=data),)
    return Decided(parts=one.parts, accepted=one.whole is None, note=note, events=events)
