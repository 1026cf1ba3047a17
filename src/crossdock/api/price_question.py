# SPDX-License-Identifier: Apache-2.0
"""A question about prices, read from JSON; everything that is wrong with it is named at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from crossdock.api.body import decoded
from crossdock.canonical.money import Currency
from crossdock.canonical.quantity import WHOLE_UNITS, Quantity, Unit
from crossdock.catalog.cache import Catalog
from crossdock.catalog.price import Asked
from crossdock.catalog.priced import WantedLine
from crossdock.errors import Refused
from crossdock.governance.caller import Caller

MOST_LINES = 1000
MOST_BODY = 512 * 1024
_SHOWN = 100
_MOST = Decimal(10) ** 12
_DECIMALS = 9
_FEWEST = Decimal("0.000000001")
Name = Annotated[str, Meta(max_length=200)]
Sku = Annotated[str, Meta(min_length=1, max_length=200)]


class PriceQuestionLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """`quantity` of `sku`, which is ours or what the channel calls it. `unit`: null = the product's own; `line`: its
    name in the answer, "" = its number, from 1."""

    sku: Sku
    quantity: Decimal
    unit: Unit | None = None
    line: Name = ""


class PriceQuestion(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What something costs: 1 to 1,000 lines, each priced by itself.

    `channel` "" = prices that hold on all channels; `customer`: an account, ours or what the channel calls it, "" =
    anybody. `currency`: null = the channel's, or without one the customer's. `at`: the moment whose lists count, null =
    now. `taxes_included`: only lists whose prices include taxes, or do not; null = either. `explain`: every list that
    names a SKU, with why it wins or does not count.
    """

    lines: list[PriceQuestionLine]
    channel: Name = ""
    customer: Name = ""
    currency: Currency | None = None
    at: datetime | None = None
    taxes_included: bool | None = None
    explain: bool = False


class PricedChannel(Struct, frozen=True):
    """What the question needs of a channel: the system whose crosswalks name SKUs and customers, and its currency."""

    system: str
    currency: str


class Question(Struct, frozen=True):
    """A question in our words."""

    asked: Asked
    lines: list[WantedLine]
    explain: bool


_DECODER = msgspec.json.Decoder(PriceQuestion)


def question_of(body: bytes) -> PriceQuestion:
    """The question in a body. Refused 400 for what is not JSON, 422 with every field that is of the wrong type."""
    return decoded(_DECODER, body)


class Asker(Struct, frozen=True):
    """Who asks, when, and which channels there are."""

    caller: Caller
    at: datetime
    channels: Mapping[str, PricedChannel]


def in_our_words(question: PriceQuestion, asker: Asker, catalog: Catalog) -> Question:
    """The question about our SKUs and accounts. Refused 422 with everything that is wrong; channels and customers that
    are not the caller's own are not there for it."""
    seen = asker.caller.sees_channel(question.channel)
    channel = asker.channels.get(question.channel) if seen else None
    source = channel.system if channel is not None else ""
    customer = catalog.look_up(source, "customer", question.customer) or question.customer
    account = catalog.customers.get(customer) if asker.caller.sees_customer(customer) else None
    currency = question.currency or (channel.currency if channel is not None else "")
    currency = currency or (account.currency if account is not None else "")
    wrong = [*_head(question, channel is not None, account is not None, currency)]
    if not 1 <= len(question.lines) <= MOST_LINES:
        raise _wrong("lines", "lines", f"{len(question.lines)} lines cannot be priced", f"send 1 to {MOST_LINES}")
    lines: list[WantedLine] = []
    # Most channels call goods as we do: then no name is looked up.
    named = catalog.translates(source, "sku")
    for index, line in enumerate(question.lines):
        sku = (catalog.sku(source, line.sku) or line.sku) if named else line.sku
        product = catalog.products.get(sku)
        unit = line.unit or (product.unit if product is not None else "EA")
        fault = _quantity(index, line.quantity, unit)
        if fault is None:
            lines.append(WantedLine(sku, Quantity(line.quantity, unit), line.line or str(index + 1)))
        else:
            wrong.append(fault)
    if wrong:
        raise Refused.of(wrong[:_SHOWN])
    asked = Asked(
        customer=customer,
        group=account.group if account is not None else "",
        channel=question.channel,
        currency=currency,
        at=question.at or asker.at,
        taxes_included=question.taxes_included,
    )
    return Question(asked, lines, question.explain)


def _head(question: PriceQuestion, sold: bool, known: bool, currency: str) -> Iterator[Refused]:
    if question.channel and not sold:
        yield _wrong("channel", "channel", f"there is no channel {question.channel!r}", "put a channel of the estate")
    if question.customer and not known:
        reason = f"there is no customer {question.customer!r}"
        yield _wrong("customer", "customer", reason, "put an account, or leave it out for what anybody pays")
    if not currency:
        yield _wrong("currency", "currency", "it is not said in which currency", "add currency, or a channel")
    if question.at is not None and question.at.tzinfo is None:
        yield _wrong("at", "time", "the time says nothing of its time zone", "write 2026-11-23T12:00:00Z")


def _quantity(index: int, value: Decimal, unit: str) -> Refused | None:
    field = f"lines[{index}].quantity"
    if value.is_finite() and 0 < value < _MOST:
        if unit in WHOLE_UNITS:
            if value == value.to_integral_value():
                return None
            return _wrong(field, "quantity_whole", f"goods counted in {unit} come whole", "put a whole number")
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and (exponent >= -_DECIMALS or not value % _FEWEST):
            return None
    return _wrong(field, "quantity", f"{str(value)[:50]} cannot be priced", "put more than 0, at most 9 decimals")


def _wrong(field: str, rule: str, reason: str, fix: str) -> Refused:
    return Refused(reason, field=field, rule=f"price.{rule}", fix=fix)
