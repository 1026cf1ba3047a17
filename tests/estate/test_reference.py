# SPDX-License-Identifier: Apache-2.0
"""The reference page names every section and field there is."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
import yaml
from msgspec import Struct

from crossdock.estate.consumers import Client
from crossdock.estate.feeds import Condition, FileTopic, SftpSource
from crossdock.estate.load import ENTRIES, SINGLES
from crossdock.estate.routing import RoutingRule, RoutingWhen
from crossdock.estate.shape import ChannelStock, Lowered, StockRule

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "estate.md").read_text(encoding="utf-8")
SHAPES: set[type[Struct]] = {
    *ENTRIES.values(),
    *SINGLES.values(),
    Lowered,
    RoutingRule,
    RoutingWhen,
    Client,
    ChannelStock,
    StockRule,
    FileTopic,
    Condition,
    SftpSource,
}


@pytest.mark.parametrize("section", [*ENTRIES, *SINGLES])
def test_every_section_has_its_row(section: str) -> None:
    assert f"\n| `{section}` |" in PAGE


@pytest.mark.parametrize("shape", sorted(SHAPES, key=lambda shape: str(shape)))
def test_every_field_is_named(shape: type[Struct]) -> None:
    words = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`]+)`", PAGE))))
    assert [field for field in shape.__struct_fields__ if field not in words] == []


def test_the_example_is_a_feeds_topics() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    topics = msgspec.convert(yaml.safe_load(example)["topics"], tuple[FileTopic, ...])
    assert [topic.topic for topic in topics] == ["cancellation", "write_off", "invoice"]
