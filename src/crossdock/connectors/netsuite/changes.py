# SPDX-License-Identifier: Apache-2.0
"""What NetSuite billed and was paid, asked by SuiteQL in the order of `lastmodifieddate` (Polling Consumer).

A page goes on from the last row's time and id, because rows move while they are read and an offset reaches 100,000 rows
at most. NetSuite keeps whole seconds: a row is read when its second is over, or a later change within it would look
like the same state. Transactions that came of no sales order of ours (one with an external id) are passed over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from crossdock.connectors.netsuite.client import CallFailed, RestClient, sql_list
from crossdock.errors import NeedsConfig
from crossdock.runtime.clock import now
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.polling import UNREADABLE, Polled, PolledPage, unreadable

INVOICES: Final = "invoices"
PAYMENTS: Final = "payments"
_TYPES: Final = {INVOICES: ("CustInvc", "CustCred"), PAYMENTS: ("CustPymt",)}
# Transactions a page; each has lines, and those fit into a few pages of SuiteQL.
PAGE: Final = 100
SETTLED: Final = timedelta(seconds=2)
# A credit memo comes of a return authorization or an invoice, those of a sales order.
_HOPS: Final = 3
_KINDS: Final = {"restocking_fee": "fee"}
_FORMAT: Final = "YYYY-MM-DD HH24:MI:SS"
_PYTHON: Final = "%Y-%m-%d %H:%M:%S"
_DAY: Final = "YYYY-MM-DD"


class _Head(Struct):
    id: str
    type: str
    changed: str
    tranid: str = ""
    currency: str = ""
    foreigntotal: str = "0"
    voided: str = "F"
    trandate: str = ""
    duedate: str = ""
    memo: str = ""


class _Line(Struct):
    transaction: str
    linesequencenumber: str
    item: str = ""
    itemtype: str = ""
    memo: str = ""
    quantity: str = ""
    foreignamount: str = "0"
    taxline: str = "F"


class _Link(Struct):
    previousdoc: str
    nextdoc: str
    foreignamount: Decimal = Decimal(0)


class _Origin(Struct):
    transaction: str
    createdfrom: str


class _Named(Struct):
    id: str
    type: str = ""
    externalid: str = ""
    itemid: str = ""
    symbol: str = ""


class NetSuitePoller:
    """One account. `time_zone` of the settings is the one that SuiteQL tells times in."""

    def __init__(self, config: SystemConfig) -> None:
        self._client = RestClient(config)
        self._system = config.name
        self._zone = _zone(config.settings.get("time_zone"))
        charges: Mapping[str, str] = config.settings.get("charge_items") or {}
        # Where one item stands for a fee and for a restocking fee, it is a fee either way.
        self._charge_of = {item: _KINDS.get(kind, kind) for kind, item in charges.items()}
        self._currencies: dict[str, str] = {}

    async def page(self, topic: str, since: datetime, after: str = "") -> PolledPage:
        """A page of invoices and credit memos, or of customer payments by invoice. Raises RetryLater, NeedsConfig."""
        try:
            heads = await self._heads(_TYPES[topic], since, after)
            full = len(heads) == PAGE
            latest = now() - SETTLED
            settled = [head for head in heads if self._moment(head.changed) <= latest]
            if not settled:
                return PolledPage(items=(), reached=None)
            items = await (self._invoices(settled) if topic == INVOICES else self._payments(settled))
            last = settled[-1]
            more = f"{last.changed}|{last.id}" if full and len(settled) == len(heads) else ""
            return PolledPage(items=tuple(items), reached=self._moment(last.changed), next=more)
        except CallFailed as failed:
            raise failed.error from failed
        except UNREADABLE as error:
            raise unreadable("NetSuite's", error) from error

    async def close(self) -> None:
        """Release connections."""
        await self._client.close()

    async def _heads(self, types: Sequence[str], since: datetime, after: str) -> list[_Head]:
        if not after:
            begin = since.astimezone(self._zone).strftime(_PYTHON)
            return await self._transactions(types, f"lastmodifieddate >= {_time(begin)}", PAGE)
        changed, _, ident = after.partition("|")
        same = f"lastmodifieddate = {_time(changed)} AND id > {int(ident)}"
        found = await self._transactions(types, same, PAGE)
        if len(found) < PAGE:
            found += await self._transactions(types, f"lastmodifieddate > {_time(changed)}", PAGE - len(found))
        return found

    async def _transactions(self, types: Sequence[str], where: str, limit: int) -> list[_Head]:
        query = (
            "SELECT id, type, tranid, currency, foreigntotal, voided, memo, "  # noqa: S608
            f"TO_CHAR(trandate, '{_DAY}') AS trandate, TO_CHAR(duedate, '{_DAY}') AS duedate, "
            f"TO_CHAR(lastmodifieddate, '{_FORMAT}') AS changed "
            f"FROM transaction WHERE type IN {sql_list(types)} AND {where} ORDER BY lastmodifieddate, id"
        )
        return await self._client.rows(query, _Head, limit)

    async def _invoices(self, heads: Sequence[_Head]) -> list[Polled]:
        orders = await self._orders([head.id for head in heads])
        ours = [head for head in heads if head.id in orders]
        if not ours:
            return []
        lines = await self._lines([head.id for head in ours])
        skus = await self._skus({line.item for rows in lines.values() for line in rows if line.item})
        await self._know(head.currency for head in ours)
        return [
            self._polled(
                f"invoice/{self._system}/{head.id}",
                head,
                {
                    "foreigntotal": head.foreigntotal,
                    "duedate": head.duedate,
                    "salesorder": orders[head.id],
                    "lines": [self._line(line, skus) for line in lines.get(head.id, ())],
                },
            )
            for head in ours
        ]

    async def _payments(self, heads: Sequence[_Head]) -> list[Polled]:
        wanted = sql_list([head.id for head in heads])
        query = (
            "SELECT previousdoc, nextdoc, foreignamount FROM previoustransactionlinelink "  # noqa: S608
            f"WHERE nextdoc IN {wanted} AND linktype = 'Payment' ORDER BY nextdoc, previousdoc"
        )
        applied: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for link in await self._client.every_row(query, _Link):
            applied[link.nextdoc][link.previousdoc] += link.foreignamount
        orders = await self._orders(sorted({invoice for invoices in applied.values() for invoice in invoices}))
        await self._know(head.currency for head in heads)
        return [
            self._polled(
                f"payment/{self._system}/{head.id}/{invoice}",
                head,
                {"invoice": invoice, "applied": str(amount), "salesorder": orders[invoice]},
            )
            for head in heads
            for invoice, amount in applied.get(head.id, {}).items()
            if invoice in orders
        ]

    def _polled(self, key: str, head: _Head, more: dict[str, Any]) -> Polled:
        changed = self._moment(head.changed)
        body = {
            "id": head.id,
            "type": head.type,
            "tranid": head.tranid,
            "trandate": head.trandate,
            "lastmodifieddate": changed.isoformat(),
            "currency": self._currencies.get(head.currency, head.currency),
            "voided": head.voided,
            "memo": head.memo,
            **more,
        }
        version = int(changed.timestamp() * 1000)
        return Polled(dedup_key=f"{key}@{version}", key=key, version=version, body=msgspec.json.encode(body))

    def _line(self, line: _Line, skus: Mapping[str, str]) -> dict[str, Any]:
        name = skus.get(line.item, line.item)
        charge = "shipping" if line.itemtype == "ShipItem" else self._charge_of.get(name, "")
        kind = "tax" if line.taxline == "T" else "charge" if charge else "goods"
        return {
            "linesequencenumber": line.linesequencenumber,
            "kind": kind,
            "item": name,
            "charge": charge,
            "memo": line.memo,
            "quantity": line.quantity,
            "foreignamount": line.foreignamount,
        }

    async def _lines(self, idents: Sequence[str]) -> dict[str, list[_Line]]:
        query = (
            "SELECT transaction, linesequencenumber, item, itemtype, memo, quantity, foreignamount, taxline "  # noqa: S608
            f"FROM transactionline WHERE transaction IN {sql_list(idents)} AND mainline = 'F' AND iscogs = 'F' "
            "ORDER BY transaction, linesequencenumber"
        )
        found: dict[str, list[_Line]] = defaultdict(list)
        for line in await self._client.every_row(query, _Line):
            found[line.transaction].append(line)
        return found

    async def _orders(self, idents: Sequence[str]) -> dict[str, str]:
        """The sales order that each transaction came of, of those that have an external id."""
        at = {ident: ident for ident in idents}
        orders: dict[str, str] = {}
        for _ in range(_HOPS):
            origins = await self._origins(sorted(set(at.values())))
            at = {ident: origins[where] for ident, where in at.items() if where in origins}
            if not at:
                break
            query = f"SELECT id, type, externalid FROM transaction WHERE id IN {sql_list(sorted(set(at.values())))}"  # noqa: S608
            known = {row.id: row for row in await self._client.every_row(f"{query} ORDER BY id", _Named)}
            sold = {ident for ident, where in at.items() if where in known and known[where].type == "SalesOrd"}
            orders |= {ident: at[ident] for ident in sold if known[at[ident]].externalid}
            at = {ident: where for ident, where in at.items() if ident not in sold}
        return orders

    async def _origins(self, idents: Sequence[str]) -> dict[str, str]:
        """What each transaction was created from; lines know, the transaction itself does not."""
        if not idents:
            return {}
        query = (
            "SELECT transaction, createdfrom FROM transactionline "  # noqa: S608
            f"WHERE transaction IN {sql_list(idents)} AND createdfrom IS NOT NULL "
            "ORDER BY transaction, linesequencenumber"
        )
        return {row.transaction: row.createdfrom for row in await self._client.every_row(query, _Origin)}

    async def _skus(self, idents: set[str]) -> dict[str, str]:
        """SKU per internal id of an item: its external id, else its name."""
        if not idents:
            return {}
        query = f"SELECT id, externalid, itemid FROM item WHERE id IN {sql_list(sorted(idents))} ORDER BY id"  # noqa: S608
        return {row.id: row.externalid or row.itemid for row in await self._client.every_row(query, _Named)}

    async def _know(self, currencies: Iterable[str]) -> None:
        """Learn the ISO codes of currencies, which transactions name by internal id."""
        if set(currencies) - self._currencies.keys():
            rows = await self._client.rows("SELECT id, symbol FROM currency", _Named)
            self._currencies = {row.id: row.symbol for row in rows if row.symbol}

    def _moment(self, text: str) -> datetime:
        """The moment in UTC that SuiteQL tells. ValueError when it is none."""
        return datetime.strptime(text, _PYTHON).replace(tzinfo=self._zone).astimezone(UTC)


def _time(text: str) -> str:
    """A moment as SuiteQL takes it. ValueError when `text` is none."""
    return f"TO_DATE('{datetime.strptime(text, _PYTHON).strftime(_PYTHON)}', '{_FORMAT}')"


def _zone(name: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(name or "UTC"))
    except (KeyError, ValueError, OSError) as error:
        raise NeedsConfig(
            f"{name!r} is no time zone",
            field="settings.time_zone",
            value=name,
            fix="write the time zone of the integration's user, e.g. time_zone: America/New_York",
        ) from error
