# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the connectors' tests: mappings compiled as the application compiles them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crossdock.mapping.compile import Parts, Translator, compile_mapping
from crossdock.mapping.step import decode_source
from crossdock.sdk.words import Mapping

_COMPILED: dict[str, Translator] = {}


@pytest.fixture(scope="session")
def translate() -> Callable[[Mapping, Any, dict[str, str]], Parts]:
    """Run a mapping on a decoded source or a body; every crosswalk knows every value and leaves it as it is."""

    def run(mapping: Mapping, source: Any, context: dict[str, str]) -> Parts:
        translator = _COMPILED.get(mapping.label)
        if translator is None:
            translator = _COMPILED[mapping.label] = compile_mapping(mapping, lambda table, value: value)
        return translator.parts(decode_source(source) if isinstance(source, bytes) else source, context)

    return run
