# SPDX-License-Identifier: Apache-2.0
"""The step that translates: batches of stored messages in, canonical documents or what is wrong with them out."""

from __future__ import annotations

from collections.abc import Mapping as Table
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from crossdock.errors import CrossdockError, NeedsEdit
from crossdock.mapping.compile import Parts, Translator

# Numbers with a point become decimals as written, never floats on the way.
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_NO_CONTEXT: Table[str, Any] = {}


class ToTranslate(Struct, frozen=True, kw_only=True):
    """One document to translate. `payload`: JSON as bytes, or already decoded; `context`: what `~.` paths read."""

    document_id: int
    translator: Translator
    payload: Any
    context: Table[str, Any] = _NO_CONTEXT


class Translated(Struct, frozen=True, kw_only=True):
    """A document in canonical form. `mapping`: the label that made it; `failures`: isolated elements left out."""

    document_id: int
    document: Any
    mapping: str
    failures: tuple[NeedsEdit, ...] = ()


def translate(batch: Sequence[ToTranslate]) -> list[Translated | CrossdockError]:
    """Every document of `batch` translated or what stopped it (mostly NeedsEdit), in the same order. Raises nothing."""
    return [_one(item) for item in batch]


def decode_source(body: bytes | str) -> Any:
    """The JSON value in `body`, numbers with a point as decimals. NeedsEdit that says where it is malformed."""
    try:
        return _DECODER.decode(body)
    except UnicodeDecodeError:
        reason = f"the body is not UTF-8 at byte {_first_bad_byte(body)}"
    except msgspec.DecodeError as error:
        reason = f"the body is not JSON: {error}"
    except RecursionError:
        reason = "the body is nested too deeply"
    except ArithmeticError:
        reason = "the body has a number that is none"
    raise NeedsEdit(reason, field="the document", rule="json", fix="send well-formed JSON in UTF-8")


def _first_bad_byte(body: bytes | str) -> int:
    # msgspec counts from the start of the text value, a person from the start of the body.
    try:
        body.encode() if isinstance(body, str) else body.decode()
    except UnicodeError as error:
        return int(getattr(error, "start", 0))
    return 0


def _one(item: ToTranslate) -> Translated | CrossdockError:
    translator = item.translator
    try:
        source = decode_source(item.payload) if isinstance(item.payload, bytes) else item.payload
        if translator.isolates:
            parts = translator.parts(source, item.context)
        else:
            parts = Parts(document=translator(source, item.context))
    except CrossdockError as error:
        return error
    except Exception as error:  # the step's edge: a fault in one mapping's functions must not stop the batch
        failed = NeedsEdit(
            f"the mapping stopped with {type(error).__name__}: {error}",
            field="the document",
            rule=translator.label,
            fix="the author of the mapping mends its functions, then the case is retried",
        )
        failed.__cause__ = error
        return failed
    return Translated(
        document_id=item.document_id, document=parts.document, mapping=translator.label, failures=parts.failures
    )
