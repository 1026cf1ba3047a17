# SPDX-License-Identifier: Apache-2.0
"""Tell the store what its variants cost: absolute prices, a call for each product, a bad one never spoils the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct, field

from crossdock.canonical.channel_price import ChannelPrice
from crossdock.connectors.shopify.client import AdminClient, CallFailed
from crossdock.connectors.shopify.errors import PRICE_CODES, UNKNOWN_PRICE
from crossdock.connectors.shopify.inventory_items import Variant, variants
from crossdock.errors import CrossdockError, NeedsConfig, NeedsEdit, RetryLater
from crossdock.sdk.http_status import error_for
from crossdock.sdk.sending import Delivered, Exchange, Failed, Outcome, Outgoing

# Shopify: an input array holds at most 250 items.
_A_CALL: Final = 250
_FORGOTTEN: Final = frozenset({"PRODUCT_DOES_NOT_EXIST", "PRODUCT_VARIANT_DOES_NOT_EXIST", "MUST_BE_FOR_THIS_PRODUCT"})


class _UserError(Struct):
    message: str
    code: str | None = None
    field: list[str] | None = None


class _Shown(Struct):
    id: str


class _Updated(Struct, rename="camel"):
    product_variants: list[_Shown] | None = None
    user_errors: list[_UserError] = field(default_factory=list)


class _Answer(Struct, rename="camel"):
    product_variants_bulk_update: _Updated | None


class _Line(Struct, frozen=True):
    """A variant's price, the item of the batch it stands for, and the store's SKU."""

    index: int
    sku: str
    product: str
    input: dict[str, Any]


class PriceTeller:
    """Sets the prices of the store's variants. `skus`: our SKU → the store's where they differ."""

    def __init__(self, client: AdminClient, translate: Callable[[Any], Any], skus: Mapping[str, str]) -> None:
        self._client = client
        self._translate = translate
        self._skus = skus
        self._variants = variants(client)

    async def send(self, batch: Sequence[Outgoing]) -> list[Outcome]:
        """Set every price of `batch` (ChannelPrice documents); outcomes in the same order. CallFailed when the store
        cannot be asked for its variants. Once the store is throttled or refuses us, nothing more is asked of it."""
        outcomes: dict[int, Outcome] = {}
        by_product: dict[str, list[_Line]] = {}
        for line in await self._prepare(batch, outcomes):
            by_product.setdefault(line.product, []).append(line)
        stopped: Failed | None = None
        for product, lines in by_product.items():
            for start in range(0, len(lines), _A_CALL):
                part = lines[start : start + _A_CALL]
                if stopped is None:
                    stopped = await self._set(product, part, outcomes)
                else:
                    outcomes.update((line.index, Failed(error=stopped.error)) for line in part)
        return [outcomes[index] for index in range(len(batch))]

    async def _prepare(self, batch: Sequence[Outgoing], outcomes: dict[int, Outcome]) -> list[_Line]:
        names = [self._skus.get(item.document.sku, item.document.sku) for item in batch]
        found = await self._variants.resolve(names)
        lines: dict[str, _Line] = {}
        for index, (item, name) in enumerate(zip(batch, names, strict=True)):
            variant = found[name]
            if isinstance(variant, NeedsEdit):
                outcomes[index] = Failed(error=variant)
                continue
            try:
                line = _Line(index, name, variant.product, self._input(item, variant))
            except CrossdockError as error:
                outcomes[index] = Failed(error=error)
                continue
            # Two of our SKUs that are one variant of the store would overwrite each other.
            if lines.setdefault(variant.id, line) is not line:
                outcomes[index] = Failed(error=_twice(item.document.sku, name))
        return [*lines.values()]

    def _input(self, item: Outgoing, variant: Variant) -> dict[str, Any]:
        price: ChannelPrice = item.document
        if price.currency != variant.currency:
            raise NeedsEdit(
                f"the store sells in {variant.currency}, and this price is in {price.currency}",
                field="currency",
                rule="shopify.currency",
                value=price.currency,
                fix=f"write currency: {variant.currency} under price_publication for this channel in the estate",
            )
        source = {"document": price, "known": item.known, "reference": item.reference, "names": {"variant": variant.id}}
        made: dict[str, Any] = self._translate(source)
        return made

    async def _set(self, product: str, lines: Sequence[_Line], outcomes: dict[int, Outcome]) -> Failed | None:
        """One call; why no other is to be made, None when others may."""
        variables = {"product": product, "variants": [line.input for line in lines]}
        try:
            answer, exchange = await self._client.run("SetPrices", variables, _Answer, cost=10 + len(lines))
        except CallFailed as failed:
            outcome = Failed(error=failed.error, exchange=failed.exchange)
            outcomes.update((line.index, outcome) for line in lines)
            throttled = isinstance(failed.error, RetryLater) and failed.error.throttled
            return outcome if throttled or isinstance(failed.error, NeedsConfig) else None
        self._sort(lines, answer.product_variants_bulk_update, exchange, outcomes)
        return None

    def _sort(
        self, lines: Sequence[_Line], done: _Updated | None, exchange: Exchange, outcomes: dict[int, Outcome]
    ) -> None:
        errors = done.user_errors if done is not None else [_UserError("no answer")]
        bad = {position: error for error in reversed(errors) if (position := _position(error)) is not None}
        whole = next((error for error in errors if _position(error) is None), None)
        set_now = {one.id for one in (done.product_variants if done is not None else None) or ()}
        for position, line in enumerate(lines):
            error = bad.get(position, whole)
            if error is not None:
                if error.code in _FORGOTTEN:
                    self._variants.forget(line.sku)
                outcomes[line.index] = Failed(error=_error(error), exchange=exchange)
            elif not errors or line.input["id"] in set_now:
                outcomes[line.index] = Delivered(reference=line.input["id"], exchange=exchange)
            else:
                later = RetryLater("others of its product were refused, and this one was not set", rule="shopify.batch")
                outcomes[line.index] = Failed(error=later, exchange=exchange)


def _position(error: _UserError) -> int | None:
    """Which variant an error speaks of: field is ["variants", "3", …]."""
    path = error.field or []
    if len(path) >= 2 and path[0] == "variants" and path[1].isascii() and path[1].isdigit():
        return int(path[1])
    return None


def _error(error: _UserError) -> CrossdockError:
    recovery = PRICE_CODES.get(error.code or "", UNKNOWN_PRICE)
    return error_for(recovery, detail=error.message, field="price", rule=error.code or "shopify.price")


def _twice(sku: str, name: str) -> NeedsEdit:
    return NeedsEdit(
        f"another SKU is the store's {name!r} too",
        field="sku",
        rule="shopify.sku",
        value=sku,
        fix="give each of our SKUs its own variant in crosswalk `sku`",
    )
