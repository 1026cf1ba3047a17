# SPDX-License-Identifier: Apache-2.0
"""The tables that SuiteQL sees: rows made from the records, and for look-ups by key only the rows that can match."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from crossdock.sandbox.netsuite.records import CURRENCIES, SUBSIDIARIES, Account, Record

Row = dict[str, Any]
Candidates = dict[str, frozenset[str]]
"""Columns that must be one of some values."""


TYPES = {
    "salesOrder": "SalesOrd",
    "itemFulfillment": "ItemShip",
    "returnAuthorization": "RtnAuth",
    "itemReceipt": "ItemRcpt",
    "creditMemo": "CustCred",
    "invoice": "CustInvc",
    "customerPayment": "CustPymt",
    "customerDeposit": "CustDep",
}
_MONEY = frozenset(TYPES) - {"itemFulfillment", "itemReceipt"}
# The ledger's sign: a document that gives money back has a negative total, goods and income that leave are negative.
_SIGN = {"creditMemo": -1}


class Table(NamedTuple):
    """The columns of a table, and its rows for an account."""

    columns: tuple[str, ...]
    rows: Callable[[Account, Candidates], Iterable[Row]]


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)


def _pick(account: Account, kind: str, exact: Candidates) -> Iterator[Record]:
    records = account.all(kind)
    idents: Iterable[str] | None = None
    if "id" in exact:
        idents = exact["id"]
    elif "externalid" in exact:
        idents = [account.external.get((kind, name), "") for name in exact["externalid"]]
    elif kind == "salesOrder" and "otherrefnum" in exact:
        idents = [ident for name in exact["otherrefnum"] for ident in account.by_other_ref.get(name, ())]
    elif kind != "salesOrder" and "createdfrom" in exact:
        idents = [ident for name in exact["createdfrom"] for ident in account.by_origin.get(name, ())]
    if idents is None:
        yield from list(records.values())
        return
    for ident in idents:
        record = records.get(ident)
        if record is not None:
            yield record


def _total(record: Record) -> float:
    if "payment" in record:
        return float(record["payment"])
    return float(sum(line.get("amount") or 0 for line in record["item"]) + (record.get("shippingCost") or 0))


def _transaction(record: Record, kind: str) -> Row:
    packages = record.get("package", [])
    return {
        "id": record["id"],
        "externalid": record.get("externalId"),
        "tranid": record["tranId"],
        "type": TYPES[kind],
        "recordtype": kind.lower(),
        "otherrefnum": record.get("otherRefNum"),
        "entity": record["entity"]["id"],
        "status": record["shipStatus"] if kind == "itemFulfillment" else record["status"],
        "currency": (record.get("currency") or {}).get("id"),
        "memo": record.get("memo"),
        "foreigntotal": f"{_SIGN.get(kind, 1) * _total(record):.2f}" if kind in _MONEY else None,
        "trandate": _moment(record.get("tranDate") or record["createdDate"]),
        "createddate": _moment(record["createdDate"]),
        "lastmodifieddate": _moment(record["lastModifiedDate"]),
        "duedate": _moment(record.get("dueDate")),
        "voided": "T" if record["status" if "status" in record else "shipStatus"] == "V" else "F",
        "createdfrom": (record.get("createdFrom") or {}).get("id"),
        "trackingnumberlist": ", ".join(entry.get("packageTrackingNumber") or "" for entry in packages) or None,
    }


def _orders(account: Account, exact: Candidates) -> Iterator[Row]:
    return (_transaction(record, "salesOrder") for record in _pick(account, "salesOrder", exact))


def _shipments(account: Account, exact: Candidates) -> Iterator[Row]:
    return (_transaction(record, "itemFulfillment") for record in _pick(account, "itemFulfillment", exact))


def _transactions(account: Account, exact: Candidates) -> Iterator[Row]:
    for kind, code in TYPES.items():
        if code in exact.get("type", (code,)):
            for record in _pick(account, kind, exact):
                yield _transaction(record, kind)


def _lines(account: Account, exact: Candidates) -> Iterator[Row]:
    wanted = {"id": exact["transaction"]} if "transaction" in exact else {}
    goods = account.catalog.by_sku()
    for kind in TYPES:
        sign = _SIGN.get(kind, 1)
        for record in _pick(account, kind, wanted):
            of = {
                "transaction": record["id"],
                "createdfrom": (record.get("createdFrom") or {}).get("id"),
                "taxline": "F",
                "iscogs": "F",
            }
            if kind in _MONEY:
                total = f"{sign * _total(record):.2f}"
                yield {**of, "linesequencenumber": 0, "mainline": "T", "foreignamount": total}
            for line in record.get("item", ()):
                quantity, amount = line.get("quantity"), line.get("amount")
                yield {
                    **of,
                    "linesequencenumber": line["line"],
                    "item": line["item"]["id"],
                    "itemtype": "InvtPart" if line["item"]["refName"] in goods else "OthCharge",
                    "memo": line.get("description"),
                    "quantity": None if quantity is None else -sign * quantity,
                    "quantityshiprecv": line.get("quantityFulfilled"),
                    "rate": line.get("rate"),
                    "foreignamount": None if amount is None else f"{-sign * amount:.2f}",
                    "mainline": "F",
                }
            if kind in ("invoice", "creditMemo") and record.get("shippingCost"):
                yield {
                    **of,
                    "linesequencenumber": len(record["item"]) + 1,
                    "itemtype": "ShipItem",
                    "foreignamount": f"{-sign * record['shippingCost']:.2f}",
                    "mainline": "F",
                }


def _links(account: Account, exact: Candidates) -> Iterator[Row]:
    """Which transaction came of which: orders billed, invoices paid, deposits taken for orders."""
    wanted = {"id": exact["nextdoc"]} if "nextdoc" in exact else {}
    for record in _pick(account, "invoice", wanted):
        for line in record["item"]:
            amount = f"{line['amount'] or 0:.2f}"
            yield _link("OrdBill", (record["createdFrom"]["id"], "SalesOrd"), (record["id"], "CustInvc"), amount)
    for record in _pick(account, "customerPayment", wanted):
        for line in record["apply"]:
            amount = f"{line['amount']:.2f}"
            yield _link("Payment", (line["doc"]["id"], "CustInvc"), (record["id"], "CustPymt"), amount)
    for record in _pick(account, "customerDeposit", wanted):
        if record.get("salesOrder"):
            amount = f"{record['payment']:.2f}"
            yield _link("OrdDep", (record["salesOrder"]["id"], "SalesOrd"), (record["id"], "CustDep"), amount)


def _link(kind: str, before: tuple[str, str], after: tuple[str, str], amount: str) -> Row:
    (previous, previous_type), (following, following_type) = before, after
    return {
        "previousdoc": previous,
        "previoustype": previous_type,
        "nextdoc": following,
        "nexttype": following_type,
        "linktype": kind,
        "foreignamount": amount,
    }


def _customers(account: Account, exact: Candidates) -> Iterator[Row]:
    for record in _pick(account, "customer", exact):
        yield {
            "id": record["id"],
            "externalid": record.get("externalId"),
            "entityid": record.get("entityId"),
            "companyname": record.get("companyName"),
            "email": record.get("email"),
            "isinactive": "T" if record.get("isInactive") else "F",
            "lastmodifieddate": _moment(record["lastModifiedDate"]),
        }


def _items(account: Account, exact: Candidates) -> Iterator[Row]:
    for record in _pick(account, "inventoryItem", exact):
        yield {
            "id": record["id"],
            "externalid": record.get("externalId"),
            "itemid": record.get("itemId"),
            "displayname": record.get("displayName"),
            "upccode": record.get("upcCode"),
            "itemtype": "InvtPart",
            "isinactive": "T" if record.get("isInactive") else "F",
            "lastmodifieddate": _moment(record["lastModifiedDate"]),
        }


def _balances(account: Account, exact: Candidates) -> Iterator[Row]:
    """Per item and location what is on hand; an item that no location ever had has no row."""
    for record in _pick(account, "inventoryItem", {"id": exact["item"]} if "item" in exact else {}):
        for number, place in enumerate(account.catalog.locations, start=1):
            quantity = account.on_hand(record["itemId"], place.code)
            if quantity is not None:
                yield {"item": record["id"], "location": str(number), "quantityonhand": quantity or None}


def _locations(account: Account, _exact: Candidates) -> Iterator[Row]:
    for number, place in enumerate(account.catalog.locations, start=1):
        yield {"id": str(number), "externalid": place.code, "name": place.name}


def _currencies(_account: Account, _exact: Candidates) -> Iterator[Row]:
    return ({"id": number, "symbol": symbol, "name": symbol} for number, symbol in CURRENCIES.items())


def _subsidiaries(_account: Account, _exact: Candidates) -> Iterator[Row]:
    return ({"id": number, "name": name} for number, name in SUBSIDIARIES.items())


_TRANSACTION = (
    *("id", "externalid", "tranid", "type", "recordtype", "otherrefnum", "entity", "status", "currency", "memo"),
    *("foreigntotal", "trandate", "duedate", "createddate", "lastmodifieddate", "voided"),
    *("createdfrom", "trackingnumberlist"),
)
TABLES: dict[str, Table] = {
    "transaction": Table(_TRANSACTION, _transactions),
    "salesorder": Table(_TRANSACTION, _orders),
    "itemfulfillment": Table(_TRANSACTION, _shipments),
    "transactionline": Table(
        (
            "transaction",
            "linesequencenumber",
            "item",
            "quantity",
            "quantityshiprecv",
            "rate",
            "createdfrom",
            "mainline",
            "taxline",
            "iscogs",
            "itemtype",
            "foreignamount",
            "memo",
        ),
        _lines,
    ),
    "previoustransactionlinelink": Table(
        ("previousdoc", "previoustype", "nextdoc", "nexttype", "linktype", "foreignamount"), _links
    ),
    "customer": Table(
        ("id", "externalid", "entityid", "companyname", "email", "isinactive", "lastmodifieddate"), _customers
    ),
    "item": Table(
        ("id", "externalid", "itemid", "displayname", "upccode", "itemtype", "isinactive", "lastmodifieddate"), _items
    ),
    "aggregateitemlocation": Table(("item", "location", "quantityonhand"), _balances),
    "location": Table(("id", "externalid", "name"), _locations),
    "currency": Table(("id", "symbol", "name"), _currencies),
    "subsidiary": Table(("id", "name"), _subsidiaries),
}
