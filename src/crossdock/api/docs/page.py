# SPDX-License-Identifier: Apache-2.0
"""`GET /docs` and its style sheet: every operation with its parameters, bodies, examples and answers; every schema."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Litestar, MediaType, Request, Response, get
from litestar.types import ControllerRouterHandler
from markupsafe import Markup, escape

from crossdock.api.contract import endings_in, with_hot_paths

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_STYLE: Final = files(__package__).joinpath("style.css").read_bytes()
_ADDRESS: Final = f"/docs/style.css?v={hashlib.sha256(_STYLE).hexdigest()[:12]}"
_BOUNDS: Final = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minItems": "at least {} of them",
    "maxItems": "at most {} of them",
    "pattern": "matches {}",
    "default": "left out: {}",
}


def type_of(schema: dict[str, Any]) -> Markup:
    """What a value is, in a few words; a schema of its own is linked."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup('<a href="#schema-{0}">{0}</a>').format(name)
    for many in ("anyOf", "oneOf", "allOf"):
        if many in schema:
            return Markup(" or ").join(type_of(one) for one in schema[many])
    if "const" in schema:
        return escape(_json(schema["const"]))
    if "enum" in schema:
        return escape(" or ".join(_json(value) for value in schema["enum"]))
    kind = schema.get("type", "anything")
    if kind == "array":
        inner = schema.get("items")
        return Markup("list of {}").format(type_of(inner)) if isinstance(inner, dict) else escape("list")
    if isinstance(kind, list):
        return escape(" or ".join(kind))
    return escape(schema.get("format", kind))


def bounds_of(schema: dict[str, Any]) -> str:
    """What a value is held to."""
    found = [said.format(_json(schema[name])) for name, said in _BOUNDS.items() if name in schema]
    for one in schema.get("anyOf", ()):
        found += [said.format(_json(one[name])) for name, said in _BOUNDS.items() if name in one]
    return "; ".join(found)


def text_of(text: str) -> Markup:
    """A description: paragraphs, and what stands between backticks as code."""
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    return Markup("").join(Markup("<p>{}</p>").format(_coded(part)) for part in paragraphs if part)


def _coded(text: str) -> Markup:
    parts = text.split("`")
    if len(parts) % 2 == 0:
        # One backtick has no other: it is itself.
        parts[-2:] = ["`".join(parts[-2:])]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part) for index, part in enumerate(parts)
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _pretty(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


_ENVIRONMENT: Final = Environment(
    loader=PackageLoader(__package__, "."),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_ENVIRONMENT.filters.update(bounds=bounds_of, json=_pretty, text=text_of, type=type_of)


def render(contract: dict[str, Any]) -> str:
    """The page of an OpenAPI document."""
    tags: dict[str, list[dict[str, Any]]] = {}
    for path, item in sorted(contract["paths"].items()):
        for method in _METHODS:
            if method in item:
                operation = {"method": method.upper(), "path": path, **item[method]}
                for tag in item[method].get("tags") or ["other"]:
                    tags.setdefault(tag, []).append(operation)
    schemas = sorted(contract.get("components", {}).get("schemas", {}).items())
    template = _ENVIRONMENT.get_template("page.html")
    return template.render(info=contract["info"], tags=sorted(tags.items()), schemas=schemas, style=_ADDRESS)


@lru_cache(maxsize=1)
def _page_of(app: Litestar) -> str:
    """The page of an application, drawn once: anybody may ask for it, and drawing it keeps the process busy."""
    return render(with_hot_paths(app.openapi_schema.to_schema(), endings_in(app)))


@get("/docs", summary="The contract as a page", tags=["contracts"], media_type=MediaType.HTML, sync_to_thread=False)
def get_docs(request: Request[Any, Any, Any]) -> Response[str]:
    """Every operation and schema, for people."""
    return Response(_page_of(request.app), media_type=MediaType.HTML, headers={**_HEADERS, "Cache-Control": "no-cache"})


@get("/docs/style.css", summary="Its style sheet", tags=["contracts"], media_type="text/css", sync_to_thread=False)
def get_style() -> Response[bytes]:
    """Kept by the browser: another content has another address."""
    headers = {**_HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}
    return Response(_STYLE, media_type="text/css", headers=headers)


HANDLERS: list[ControllerRouterHandler] = [get_docs, get_style]
