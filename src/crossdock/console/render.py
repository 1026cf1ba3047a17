# SPDX-License-Identifier: Apache-2.0
"""One way from a template to an answer: autoescaped, with the frame every page shares."""

from __future__ import annotations

from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import MediaType, Request, Response

from crossdock.console import bundle, drawing, wording
from crossdock.console.feed import feed_of
from crossdock.console.standing import counts
from crossdock.runtime.clock import now

_ENVIRONMENT: Final = Environment(
    loader=PackageLoader("crossdock.console", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_ENVIRONMENT.filters.update(
    count=wording.count,
    duration=wording.duration,
    money=wording.money,
    rate=wording.rate,
    relative=wording.relative,
    size=wording.size,
    tone=wording.tone,
    word=wording.word,
)
_ENVIRONMENT.globals.update(
    script=bundle.address("console.js"),
    stylesheet=bundle.address("console.css"),
    sparkline=drawing.sparkline,
)


def fragment(template: str, **context: Any) -> str:
    """A part of a page without its frame."""
    return _ENVIRONMENT.get_template(template).render(now=now(), **context)


async def page(
    request: Request[Any, Any, Any], template: str, *, status: int = 200, here: str = "", find: str = "", **context: Any
) -> Response[str]:
    """A whole page. `here`: the navigation entry it belongs to; `find`: what stands in the search box."""
    figures = await feed_of(request).recent()
    text = fragment(template, here=here, find=find, counts=counts(figures), **context)
    return Response(text, media_type=MediaType.HTML, status_code=status)
