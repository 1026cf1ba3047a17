# SPDX-License-Identifier: Apache-2.0
"""Check the file feeds of an estate: columns that exist, mappings that are there, conditions that say something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from crossdock.estate.feeds import Condition, Feed, FileTopic
from crossdock.estate.findings import Finding
from crossdock.estate.load import Estate
from crossdock.estate.places import At, at_place
from crossdock.estate.references import is_reference

# {Column}, or {Column|what to say when it is empty}
PLACEHOLDER = re.compile(r"\{([^{}|]*)(?:\|([^{}]*))?\}")
TESTS = ("prefix", "equals", "one_of", "empty", "zero", "below", "above")


def check_feeds(estate: Estate) -> Iterator[Finding]:
    """Findings about `files`, in the order of the file."""
    for name, feed in estate.files.items():
        at: At = ("files", name)
        face = estate.interfaces.get(name)
        if face is None or face.direction != "in":
            yield at_place(
                estate, at, "a feed has the name of an interface with direction in", f"add interfaces: {{{name}: …}}"
            )
        elif estate.systems.get(face.system) and estate.systems[face.system].connector != "file_drop":
            yield at_place(
                estate, at, f"system {face.system} is no file_drop", "files come from a system of connector file_drop"
            )
        known = set(feed.columns)
        for column in feed.group_by:
            if column not in known:
                yield at_place(estate, (*at, "group_by"), f"{column!r} is not among the columns", "list it in columns")
        if feed.line_number in feed.columns:
            yield at_place(estate, (*at, "line_number"), f"there is a column {feed.line_number!r} already", "rename it")
        topics = face.topics if face else ()
        for number, topic in enumerate(feed.topics):
            yield from _topic(estate, (*at, "topics", number), feed, topic, topics)
        if feed.sftp is not None:
            for secret in ("password", "key"):
                value = getattr(feed.sftp, secret)
                if value and not is_reference(value):
                    yield at_place(
                        estate,
                        (*at, "sftp", secret),
                        "a secret stands in the estate as a value",
                        "write env:NAME or file:PATH",
                    )
            if bool(feed.sftp.password) == bool(feed.sftp.key):
                yield at_place(
                    estate, (*at, "sftp"), "exactly one of password and key is needed", "prefer key: file:PATH"
                )


def _topic(estate: Estate, at: At, feed: Feed, topic: FileTopic, spoken: tuple[str, ...]) -> Iterator[Finding]:
    known = set(feed.columns)
    if topic.topic not in spoken:
        yield at_place(
            estate, at, f"topic {topic.topic!r} is not one of the interface's", "add it to the interface's topics"
        )
    for text in (topic.key, topic.problem):
        for name, _ in PLACEHOLDER.findall(text):
            if name not in known:
                yield at_place(estate, at, f"{{{name}}} is no column", f"known: {', '.join(feed.columns)}")
    if not topic.mapping and not topic.problem:
        yield at_place(estate, at, "neither a mapping nor a problem", "say what becomes of these documents")
    if topic.mapping and not estate.beside(topic.mapping, *at).is_file():
        yield at_place(estate, (*at, "mapping"), f"there is no file {topic.mapping}", "put it beside the estate file")
    for number, condition in enumerate(topic.when):
        yield from _condition(estate, (*at, "when", number), known, condition)


def _condition(estate: Estate, at: At, known: set[str], condition: Condition) -> Iterator[Finding]:
    if condition.column not in known:
        yield at_place(estate, at, f"{condition.column!r} is not among the columns", "list it in columns")
    tests = [test for test in TESTS if getattr(condition, test) is not None]
    if len(tests) != 1:
        yield at_place(estate, at, f"{len(tests)} tests in one condition", f"exactly one of {', '.join(TESTS)}")
    for bound in (condition.below, condition.above):
        if bound is not None and not _is_number(bound):
            yield at_place(estate, at, f"{bound!r} is no number", 'write it in quotes, as below: "0"')


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False
