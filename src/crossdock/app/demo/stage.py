# SPDX-License-Identifier: Apache-2.0
"""Set the stage: a work folder with an estate, its master data and keys, and the simulators it speaks to."""

from __future__ import annotations

import csv
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from crossdock.app.demo.simulators import simulators, write_key
from crossdock.sandbox.business_central import BusinessCentralConfig
from crossdock.sandbox.business_central.records import guid_of
from crossdock.sandbox.catalog import Catalog, CatalogConfig, make_catalog
from crossdock.sandbox.market import MarketConfig
from crossdock.sandbox.netsuite import NetSuiteConfig
from crossdock.sandbox.serve import ServeConfig
from crossdock.sandbox.shopify import ShopifyConfig
from crossdock.sandbox.warehouse import WarehouseConfig

KEY_FILE = "netsuite-key.pem"
MARKETS = ("portal", "marketplace")
CHARGES = ("TAX", "DISCOUNT", "FEE")
BOOKED = ("TAX", "FREIGHT", "FEE", "REFUND")


class Stage(Struct, frozen=True):
    """The simulated estate. `environment`: what the roles need to reach it; `urls` by system."""

    estate: Path
    environment: dict[str, str]
    urls: dict[str, str]
    catalog: Catalog


@asynccontextmanager
async def staged(
    folder: Path,
    *,
    seed: int,
    products: int,
    locations: int = 2,
    governed: bool = False,
    tune: Mapping[str, Mapping[str, Any]] | None = None,
) -> AsyncIterator[Stage]:
    """The simulated estate in `folder`, its simulators running as long as the block.

    `locations`: how many of the warehouse's two hold goods. `governed`: with the portal, the marketplace and rules of
    who may sell what; else one store that is told its stock. `tune`: settings of simulators that differ.
    """
    master = CatalogConfig(seed=seed, products=products, locations=locations, max_stock=0)
    catalog = make_catalog(master)
    _write_estate(folder, catalog, "selling.yaml" if governed else "publication.yaml")
    public_key = write_key(folder / KEY_FILE)
    secret, warehouse_secret = secrets.token_hex(16), f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"
    tokens = {"shopify": f"shpat_{secrets.token_hex(16)}", "warehouse": secrets.token_hex(16)}
    config = _simulators(master, seed, public_key, secret, warehouse_secret, tokens, tune or {})
    markets = {name: _market(master, seed, (tune or {}).get(name, {})) for name in (MARKETS if governed else ())}
    books = _business_central(master, seed, (tune or {}).get("business_central", {})) if governed else None
    config = msgspec.structs.replace(config, markets=markets, business_central=books)
    async with simulators(folder, config) as urls:
        environment = {
            "DEMO_SHOPIFY_URL": urls["shopify"],
            "DEMO_SHOPIFY_SECRET": secret,
            "DEMO_SHOPIFY_TOKEN": tokens["shopify"],
            "DEMO_NETSUITE_URL": urls["netsuite"],
            "DEMO_WAREHOUSE_URL": urls["warehouse"],
            "DEMO_WAREHOUSE_SECRET": warehouse_secret,
            "DEMO_WAREHOUSE_TOKEN": tokens["warehouse"],
        }
        if books is not None:
            environment |= {
                "DEMO_BUSINESS_CENTRAL_URL": urls["business_central"],
                "DEMO_BUSINESS_CENTRAL_TENANT": books.tenant,
                "DEMO_BUSINESS_CENTRAL_COMPANY": guid_of("company"),
                "DEMO_BUSINESS_CENTRAL_SECRET": books.clients["crossdock-client"],
            }
        for name, market in markets.items():
            environment |= {
                f"DEMO_{name.upper()}_URL": urls[name],
                f"DEMO_{name.upper()}_SECRET": market.secret,
                f"DEMO_{name.upper()}_TOKEN": market.token,
            }
        yield Stage(folder / "estate.yaml", environment, urls, catalog)


def _simulators(
    master: CatalogConfig,
    seed: int,
    public_key: str,
    secret: str,
    warehouse_secret: str,
    tokens: Mapping[str, str],
    tune: Mapping[str, Mapping[str, Any]],
) -> ServeConfig:
    """The simulators' settings. Retries of webhooks come a hundred times sooner than the vendors make them."""
    same = {"catalog": master, "seed": seed}
    # A store of the size that has such mornings: the Plus plan gives back 1,000 cost points a second.
    plan = {"restore": 1_000.0, "bucket": 20_000.0}
    shopify = {
        **same,
        **plan,
        "secret": secret,
        "token": tokens["shopify"],
        "time_scale": 0.01,
        **tune.get("shopify", {}),
    }
    netsuite = {**same, "certificate": public_key, "extra_items": CHARGES, **tune.get("netsuite", {})}
    warehouse = {
        **same,
        "secret": warehouse_secret,
        "token": tokens["warehouse"],
        "time_scale": 0.01,
        "rate": 500.0,
        "burst": 500.0,
        **tune.get("warehouse", {}),
    }
    return ServeConfig(
        shopify=msgspec.convert(shopify, ShopifyConfig),
        netsuite=msgspec.convert(netsuite, NetSuiteConfig),
        warehouse=msgspec.convert(warehouse, WarehouseConfig),
    )


def _business_central(master: CatalogConfig, seed: int, tune: Mapping[str, Any]) -> BusinessCentralConfig:
    settings = {
        "catalog": master,
        "seed": seed,
        "clients": {"crossdock-client": secrets.token_hex(16)},
        "extra_items": BOOKED,
        "time_scale": 0.01,
        **tune,
    }
    return msgspec.convert(settings, BusinessCentralConfig)


def _market(master: CatalogConfig, seed: int, tune: Mapping[str, Any]) -> MarketConfig:
    settings = {
        "catalog": master,
        "seed": seed,
        "secret": f"whsec_{b64encode(secrets.token_bytes(32)).decode()}",
        "token": secrets.token_hex(16),
        "time_scale": 0.01,
        **tune,
    }
    return msgspec.convert(settings, MarketConfig)


def _write_estate(folder: Path, catalog: Catalog, selling: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for source, name in (("estate.yaml", "estate.yaml"), (selling, "selling.yaml")):
        (folder / name).write_text(files(__package__).joinpath(source).read_text("utf-8"), "utf-8")
    places = [place.code for place in catalog.locations]
    products = [
        (p.sku, p.title, p.gtin, f"{p.price_cents / 100:.2f}", catalog.currency, places[p.index % len(places)])
        for p in catalog.products
    ]
    _write_csv(folder / "products.csv", ("sku", "description", "gtin", "price", "currency", "location"), products)
    customers = [(c.code, f"{c.first_name} {c.last_name}", c.email) for c in catalog.customers]
    _write_csv(
        folder / "customers.csv",
        ("customer_id", "name", "email"),
        [("WEB-STORE", "Customers of the web store", ""), *customers],
    )


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
