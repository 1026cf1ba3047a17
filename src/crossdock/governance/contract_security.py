# SPDX-License-Identifier: Apache-2.0
"""What an operation of an OpenAPI 3.1 document asks for to let a caller in, and whether another asks for more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from crossdock.governance.contract_change import ContractChange, Verdict, Witness
from crossdock.governance.schema_side import Place, pointer

Document = dict[str, Any]
Needs = frozenset[tuple[bytes, str]]
"""One way in: each scheme as it is defined, with each scope asked for ("": the scheme itself)."""


def security_changes(
    old: tuple[Document, Document], new: tuple[Document, Document], place: Place, where: str
) -> list[ContractChange]:
    """Changes of who is let in; each side is a document and its operation.

    Every way in of the old side must be enough for one of the new. A way whose schemes the new document defines
    otherwise cannot be told.
    """
    before, after = _ways(*old), _ways(*new)
    lost = [said for needs, said in before.items() if not any(wanted <= needs for wanted in after)]
    gained = [said for needs, said in after.items() if not any(wanted <= needs for wanted in before)]
    at = pointer((*place, "security"))
    first, second = ([msgspec.json.decode(said) for said in side.values()] for side in (before, after))
    if not lost:
        return [_change("compatible", at, where, first, second)] if gained else []
    for said in lost:
        way = msgspec.json.decode(said)
        if all(_scheme(old[0], name) == _scheme(new[0], name) for name in way):
            reason = "this is not enough to be let in" if way else "a credential is asked for"
            payload = {"method": where.split()[0], "path": place[1], "security": way}
            witness = Witness(payload=payload, valid_under="old", refused_by="new", reason=reason)
            return [_change("breaking", at, where, first, second, witness)]
    return [_change("cannot tell", at, where, first, second)]


def _change(
    verdict: Verdict, at: str, where: str, before: Any, after: Any, witness: Witness | None = None
) -> ContractChange:
    return ContractChange(
        verdict=verdict,
        direction="received",
        place=at,
        rule="security",
        where=where,
        before=before,
        after=after,
        note="a security scheme is defined otherwise" if verdict == "cannot tell" else "",
        witness=witness,
    )


def _ways(document: Document, operation: Document) -> dict[Needs, str]:
    """Each way in, with how it is written (JSON). No way given: nobody is asked."""
    listed: list[Mapping[str, Any]] = operation.get("security", document.get("security", [])) or [{}]
    return {
        frozenset((_scheme(document, name), scope) for name, scopes in way.items() for scope in ("", *scopes)): (
            msgspec.json.encode(way, order="sorted").decode()
        )
        for way in listed
    }


def _scheme(document: Document, name: str) -> bytes:
    """A scheme as it is defined, whatever it is called; one that is not defined is its name."""
    schemes = document.get("components", {}).get("securitySchemes", {})
    defined = schemes.get(name, name)
    if isinstance(defined, dict):
        defined = {word: said for word, said in defined.items() if word != "description" and not word.startswith("x-")}
    return msgspec.json.encode(defined, order="sorted")
