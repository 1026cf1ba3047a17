# SPDX-License-Identifier: Apache-2.0
"""`productVariantsBulkUpdate`, as far as it sets prices, with the rules that its schema does not show."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo

from crossdock.sandbox.catalog import Product
from crossdock.sandbox.shopify.orders import product_id
from crossdock.sandbox.shopify.store import Store
from crossdock.sandbox.shopify.views import Views

MAX_INPUT = 250
MAX_PRICE = Decimal(10) ** 12
CENT = Decimal("0.01")

UserError = dict[str, Any]


class PriceSetter:
    """Absolute prices of variants of one product. Without partial updates one error leaves all as they were."""

    def __init__(self, store: Store, views: Views) -> None:
        self._store = store
        self._views = views
        self._products = {product_id(product): product for product in store.catalog.products}

    def update(
        self,
        _root: Any,
        _info: GraphQLResolveInfo[Any],
        *,
        productId: str,
        variants: list[dict[str, Any]],
        allowPartialUpdates: bool = False,
    ) -> dict[str, Any]:
        """Set what can be set; the payload."""
        if len(variants) > MAX_INPUT:
            raise GraphQLError(
                f"The input array size of {len(variants)} is greater than the maximum allowed of {MAX_INPUT}.",
                extensions={"code": "MAX_INPUT_SIZE_EXCEEDED"},
            )
        prices = [_money(entry.get("price")) for entry in variants]
        number = self._store.find(productId, "Product")
        if number is None or number not in self._products:
            self._store.books.bump("prices.refused")
            return _payload([], [_error("PRODUCT_DOES_NOT_EXIST", "Product does not exist", "productId")])
        errors: list[UserError] = []
        good: list[tuple[Product, Decimal | None]] = []
        for place, (entry, price) in enumerate(zip(variants, prices, strict=True)):
            wrong, product = self._check(number, entry, price, str(place))
            errors += wrong
            if product is not None and not wrong:
                good.append((product, price))
        if errors:
            self._store.books.bump("prices.refused")
            if not allowPartialUpdates:
                return _payload(None, errors)
        for product, price in good:
            if price is not None:
                self._store.set_price(product, price)
        return _payload([self._views.variant(product) for product, _ in good], errors)

    def _check(
        self, parent: int, entry: dict[str, Any], price: Decimal | None, place: str
    ) -> tuple[list[UserError], Product | None]:
        where = ("variants", place)
        if entry.get("id") is None:
            return [_error("PRODUCT_VARIANT_ID_MISSING", "Product variant is missing ID attribute", *where, "id")], None
        product = self._store.by_variant.get(self._store.find(entry["id"], "ProductVariant") or 0)
        if product is None:
            return [_error("PRODUCT_VARIANT_DOES_NOT_EXIST", "Product variant does not exist", *where, "id")], None
        if product_id(product) != parent:
            return [_error("MUST_BE_FOR_THIS_PRODUCT", "Input must be for this product", *where, "id")], None
        if price is not None and price < 0:
            message = "Price must be greater than or equal to 0"
            return [_error("GREATER_THAN_OR_EQUAL_TO", message, *where, "price")], None
        if price is not None and price >= MAX_PRICE:
            return [_error("INVALID_INPUT", "Price is too high", *where, "price")], None
        return [], product


def _money(value: Any) -> Decimal | None:
    if value is None:
        return None
    try:
        amount = Decimal(value) if isinstance(value, str | int) else Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise GraphQLError(f"invalid money '{value}'", extensions={"code": "INVALID_VARIABLE"})
    return amount.quantize(CENT, ROUND_HALF_UP) if abs(amount) < MAX_PRICE else amount


def _error(code: str, message: str, *field: str) -> UserError:
    return {"code": code, "field": list(field), "message": message}


def _payload(variants: list[dict[str, Any]] | None, errors: list[UserError]) -> dict[str, Any]:
    product = variants[0]["product"] if variants else None
    return {"product": product, "productVariants": variants, "userErrors": errors}
