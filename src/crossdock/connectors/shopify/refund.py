# SPDX-License-Identifier: Apache-2.0
"""Have the store send money back: look at what was paid and refunded, then refundCreate, once per refund.

The call carries an idempotency key, which Shopify keeps for a day; after it the refund is found again by its note.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct, field

from crossdock.canonical.goods_return import Refund
from crossdock.connectors.shopify.client import AdminClient
from crossdock.connectors.shopify.errors import REFUSED_REFUND
from crossdock.errors import NeedsEdit, RetryLater
from crossdock.sdk.http_status import error_for
from crossdock.sdk.sending import Delivered, Failed, Outcome, Outgoing

_KEYS: Final = UUID("a9a0f6b2-2b0a-5a37-9d39-5f0c7d6a41e3")
_PAID: Final = frozenset({"SALE", "CAPTURE"})
_ZERO: Final = Decimal(0)
# RefundCreate's user errors have no codes.
_RUNNING: Final = "currently in progress"
_PREVIOUS_FAILED: Final = "previous request with this idempotency key failed"


class _Money(Struct, rename="camel"):
    amount: Decimal
    currency_code: str


class _Bag(Struct, rename="camel"):
    presentment_money: _Money


class _Identity(Struct):
    id: str


class _Transaction(Struct, rename="camel"):
    id: str
    kind: str
    status: str
    amount_set: _Bag
    gateway: str | None = None
    parent_transaction: _Identity | None = None


class _Made(Struct):
    id: str
    note: str | None = None


class _Order(Struct):
    transactions: list[_Transaction]
    refunds: list[_Made] = field(default_factory=list)


class _OrderAnswer(Struct):
    order: _Order | None


class _UserError(Struct):
    message: str
    field: list[str] | None = None


class _Created(Struct, rename="camel"):
    refund: _Made | None = None
    user_errors: list[_UserError] = field(default_factory=list)


class _CreateAnswer(Struct, rename="camel"):
    refund_create: _Created | None


async def find_refund(client: AdminClient, item: Outgoing) -> Delivered | None:
    """The store's refund with our reference as its note; None = there is none. Raises CallFailed or NeedsEdit."""
    order = await _read(client, item.document)
    return _ours(order, item.reference)


async def send_refund(
    client: AdminClient, item: Outgoing, translate: Callable[[Any], Any], names: Mapping[str, Any]
) -> Outcome:
    """Look, then refund what is not refunded. Raises CallFailed, or NeedsEdit when less was paid than goes back."""
    refund: Refund = item.document
    order = await _read(client, refund)
    done = _ours(order, item.reference)
    if done is not None:
        return done
    variables = {
        "input": translate(
            {
                "document": refund,
                "known": item.known,
                "reference": item.reference,
                "names": {**names, "order": _gid(refund)},
                "lines": [
                    {
                        "lineItemId": f"gid://shopify/LineItem/{line.line}",
                        "quantity": int(line.quantity.value),
                        # Stock is told the store as it is; what it would add by itself would be there twice.
                        "restockType": "NO_RESTOCK",
                    }
                    for line in refund.lines
                    if line.quantity.value > 0
                ],
                "transactions": _transactions(order, refund),
            }
        )
    }
    content = msgspec.json.encode(variables, order="sorted").decode()
    key = str(uuid5(_KEYS, f"{item.idempotency_key}/{content}"))
    outcome = await _create(client, {**variables, "key": key})
    if isinstance(outcome, Failed) and _PREVIOUS_FAILED in outcome.error.reason:
        # It was refused before and had no effect; what made it so may be mended.
        outcome = await _create(client, {**variables, "key": str(uuid5(_KEYS, f"{key}/{item.attempt}"))})
    return outcome


async def _create(client: AdminClient, variables: Mapping[str, Any]) -> Outcome:
    answer, exchange = await client.run("CreateRefund", variables, _CreateAnswer, cost=10)
    created = answer.refund_create
    if created is not None and created.refund is not None:
        return Delivered(reference=created.refund.id, exchange=exchange)
    errors = created.user_errors if created is not None else []
    if any(_RUNNING in error.message for error in errors):
        return Failed(error=RetryLater("the same call is still being worked on"), exchange=exchange)
    first = errors[0] if errors else _UserError("no reason was given")
    detail = "; ".join(error.message for error in errors[:5])
    where = ".".join(first.field or [])
    return Failed(error=error_for(REFUSED_REFUND, detail=detail, field=where, rule="shopify.refund"), exchange=exchange)


async def _read(client: AdminClient, refund: Refund) -> _Order:
    answer, _ = await client.run("OrderPayments", {"id": _gid(refund)}, _OrderAnswer, cost=150)
    if answer.order is None:
        raise NeedsEdit(
            f"the store has no order {_gid(refund)}",
            field="order_key",
            rule="shopify.order_known",
            value=refund.order_key,
            fix="correct the order the refund belongs to; orders older than 60 days need the scope read_all_orders",
        )
    return answer.order


def _gid(refund: Refund) -> str:
    return "gid://shopify/Order/" + refund.order_key.partition("/")[2]


def _ours(order: _Order, reference: str) -> Delivered | None:
    return next((Delivered(reference=one.id) for one in order.refunds if one.note == reference), None)


def _transactions(order: _Order, refund: Refund) -> list[dict[str, Any]]:
    """The money by the payments it goes back on, the first ones first: what each took less what went back on it."""
    done = [one for one in order.transactions if one.status == "SUCCESS"]
    back: dict[str, Decimal] = {}
    for one in done:
        if one.kind == "REFUND" and one.parent_transaction is not None:
            parent = one.parent_transaction.id
            back[parent] = back.get(parent, _ZERO) + one.amount_set.presentment_money.amount
    missing = refund.total.amount
    planned: list[dict[str, Any]] = []
    for paid in done:
        money = paid.amount_set.presentment_money
        if paid.kind not in _PAID or money.currency_code != refund.currency:
            continue
        amount = min(missing, money.amount - back.get(paid.id, _ZERO))
        if amount > 0:
            missing -= amount
            planned.append(
                {
                    "orderId": _gid(refund),
                    "kind": "REFUND",
                    "gateway": paid.gateway or "",
                    "parentId": paid.id,
                    "amount": f"{amount:f}",
                }
            )
    if missing > 0:
        raise NeedsEdit(
            f"{refund.total} goes back, {missing} more than the store has left of payments in {refund.currency}",
            field="total",
            rule="shopify.payments",
            value=refund.total.amount,
            fix="compare the order's payments in the store's admin with the refund; refund it there, then dismiss this",
        )
    return planned
