# SPDX-License-Identifier: Apache-2.0
"""Inventory: for each SKU where its number comes from, what each channel was last told, and how old that is."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from litestar import Request, Response, get
from litestar.params import QueryParameter

from crossdock.catalog.cache import Catalog
from crossdock.console.reading import connection
from crossdock.console.render import page
from crossdock.console.stock_drawing import bar, steps
from crossdock.errors import Refused
from crossdock.inventory.rules import StockRules
from crossdock.inventory.view import StockView
from crossdock.journal.record import storable
from crossdock.observe.stock import LONGEST_SKU, StockPicture, promised, publications, stock_list, stock_picture
from crossdock.runtime.telemetry import hide_credentials

LIMIT: Final = 50
MOST_SHORT: Final = 20
Text = Annotated[str, QueryParameter(max_length=200)]


@get("/inventory", include_in_schema=False)
async def inventory_page(
    request: Request[Any, Any, Any], q: Text = "", after: Text = "", sku: Text = ""
) -> Response[str]:
    """SKUs that begin with `q`, and everything about `sku`."""
    q, after, sku = (storable(hide_credentials(one), LONGEST_SKU) for one in (q, after, sku))
    # A row of the list that is opened takes only what is about its SKU out of the answer.
    whole = not request.headers.get("hx-target", "").endswith("#detail")
    picture: StockPicture | None = None
    problem = ""
    async with connection(request) as conn:
        rows = await stock_list(conn, q.strip(), after, LIMIT + 1) if whole else []
        told = await publications(conn) if whole else []
        short = await promised(conn, MOST_SHORT) if whole else []
        if sku:
            try:
                picture = await stock_picture(conn, _view(request), sku)
            except Refused as refused:
                problem = refused.reason
    largest = max((level.on_hand for level in picture.levels), default=Decimal(0)) if picture else Decimal(0)
    return await page(
        request,
        "inventory.html",
        here="inventory",
        find=q,
        q=q,
        rows=rows[:LIMIT],
        more=urlencode({"q": q, "after": rows[LIMIT - 1].sku}) if len(rows) > LIMIT else "",
        chosen=sku,
        address=lambda other: urlencode({"q": q, "after": after, "sku": other}),
        publications=told,
        short=short,
        picture=picture,
        problem=problem,
        bars={level.location: bar(level, largest) for level in picture.levels} if picture else {},
        steps=steps(picture.levels, picture.moves) if picture else None,
    )


def _view(request: Request[Any, Any, Any]) -> StockView:
    """The view of stock that this application keeps up; without one, no channel is told anything."""
    state = request.app.state
    if state.get("stock_view") is None:
        state.stock_view = StockView(StockRules(version=""), Catalog())
    view: StockView = state.stock_view
    return view
