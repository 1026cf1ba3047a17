# SPDX-License-Identifier: Apache-2.0
"""Translate claimed documents (Message Translator): bytes become canonical, one decode, an outcome per document."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from crossdock.canonical.objects import contract, decode, encode
from crossdock.errors import CrossdockError, NeedsEdit
from crossdock.journal.claim import Claimed
from crossdock.journal.decided import RefusedPart, Translated
from crossdock.mapping.compile import Translator
from crossdock.mapping.step import ToTranslate, decode_source
from crossdock.mapping.step import Translated as Made
from crossdock.mapping.step import translate as run_mappings


class Topic(Struct, frozen=True, kw_only=True):
    """How documents of one interface and topic are translated. `context` is what the mapping reads with `~.`.

    `translator` None: the interface is our own, and what comes by it is canonical already.
    """

    translator: Translator | None
    kind: str
    context: Mapping[str, Any] = {}


_ENCODER = msgspec.json.Encoder(decimal_format="number")
_ELEMENT = re.compile(r"(?P<list>\w+(?:\.\w+)*)\[(?P<index>\d+)\]")
Translations = Mapping[tuple[str, str], Topic]


def translate(translations: Translations, batch: Sequence[Claimed]) -> list[Translated | CrossdockError]:
    """The canonical form of each document, or the error that says what is wrong with it; in the same order.

    A document that is there in canonical form, from an earlier try or edited, is not translated again. Elements of a
    batch document that cannot be translated are parts of the result; the others go on.
    """
    # One after the other: a decoded source is large, and the next one finds its memory still in the processor's cache.
    return [_one(translations, claimed) for claimed in batch]


def _one(translations: Translations, claimed: Claimed) -> Translated | CrossdockError:
    try:
        if claimed.stage == "canonical":
            return _edited(claimed)
        topic = _topic(translations, claimed)
        if topic.translator is None:
            return _own(claimed, topic.kind)
        source = decode_source(claimed.body)
    except CrossdockError as error:
        return error
    (made,) = run_mappings(
        [ToTranslate(document_id=claimed.id, translator=topic.translator, payload=source, context=topic.context)]
    )
    return made if isinstance(made, CrossdockError) else _canonical(claimed, topic, source, made)


def _edited(claimed: Claimed) -> Translated:
    try:
        document = decode(claimed.kind, claimed.body)
    except (msgspec.ValidationError, msgspec.DecodeError, KeyError) as error:
        raise NeedsEdit(
            f"the edited document is not a {claimed.kind}: {error}",
            rule="canonical",
            fix="mend the named field",
        ) from error
    check_texts(document, claimed.body)
    made_by = claimed.made_by or f"{contract(claimed.kind)} edit"
    return Translated(claimed=claimed, kind=claimed.kind, document=document, body=b"", made_by=made_by)


def _own(claimed: Claimed, kind: str) -> Translated:
    try:
        document = decode(kind, claimed.body)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise NeedsEdit(f"the body is no {kind}: {error}", rule="canonical", fix="mend the named field") from error
    return Translated(claimed=claimed, kind=kind, document=document, body=None, made_by=contract(kind))


def _topic(translations: Translations, claimed: Claimed) -> Topic:
    if claimed.note and claimed.number == 0 and claimed.attempts == 0:
        raise NeedsEdit(claimed.note, rule="readable", fix="mend the payload, or ask its sender to send it again")
    topic = translations.get((claimed.interface, claimed.topic))
    if topic is None:
        raise NeedsEdit(
            f"no mapping translates topic {claimed.topic} of interface {claimed.interface}",
            rule="mapping_known",
            value=claimed.topic,
            fix="give the topic a mapping in the estate or connector, then retry",
        )
    return topic


def _canonical(claimed: Claimed, topic: Topic, source: Any, made: Made) -> Translated | CrossdockError:
    try:
        # A text without U+0000 in its source has none in the document.
        if b"\\u0000" in claimed.body or b"\0" in claimed.body:
            check_texts(made.document, encode(made.document))
        parts = _parts(source, made.failures)
    except CrossdockError as error:
        return error
    return Translated(
        claimed=claimed,
        kind=topic.kind,
        document=made.document,
        body=None,
        made_by=f"{contract(topic.kind)} {made.mapping}",
        parts=parts,
    )


def check_texts(document: Any, body: bytes) -> None:
    """NeedsEdit when a text of `document` holds U+0000, which PostgreSQL and most systems cannot hold."""
    if b"\\u0000" not in body:
        return
    field = _nul(msgspec.to_builtins(document))
    if field:
        raise NeedsEdit(
            "the text holds the character U+0000, which no system can keep",
            field=field,
            rule="text",
            fix="take the character out",
        )


def _nul(value: Any) -> str:
    """The path of the first text below `value` that holds U+0000, "" when none does."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        step = f"[{name}]" if isinstance(name, int) else str(name)
        if isinstance(child, str) and "\x00" in child:
            return step
        below = _nul(child)
        if below:
            return step + below if below.startswith("[") else f"{step}.{below}"
    return ""


def _parts(source: Any, failures: Sequence[NeedsEdit]) -> tuple[RefusedPart, ...]:
    """Each bad element of a list as a document of its own: the source with that one element in the list."""
    by_element: dict[tuple[str, int], list[NeedsEdit]] = {}
    for failure in failures:
        place = _ELEMENT.match(failure.field)
        if place is None:
            raise failure
        inner = NeedsEdit(
            failure.reason,
            field=f"{place['list']}[0]{failure.field[place.end() :]}",
            rule=failure.rule,
            value=failure.value,
            fix=failure.fix,
        )
        by_element.setdefault((place["list"], int(place["index"])), []).append(inner)
    return tuple(
        RefusedPart(
            ordinal=index + 1,
            stage="source",
            body=_ENCODER.encode(_with_only(source, path.split("."), index)),
            error=NeedsEdit.of(errors),
        )
        for (path, index), errors in by_element.items()
    )


def _with_only(source: Any, path: Sequence[str], index: int) -> Any:
    """`source` with nothing but element `index` in its list at `path`."""
    if not path:
        return [source[index]]
    return {**source, path[0]: _with_only(source[path[0]], path[1:], index)}
