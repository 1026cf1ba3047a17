# SPDX-License-Identifier: Apache-2.0
"""API keys: how they look, and how they are kept. `cdk_` + 12 hex digits by which a key is named + `_` + its secret.

What is kept is the SHA-256 of the whole key. The secret is 32 random bytes: nobody guesses one of 2^256 however fast
hashing is, so a slow hash would only cost time on every request; and without the key the digest opens nothing, so a
further secret to mix in would only be one more to keep.
"""

from __future__ import annotations

import re
from hashlib import sha256
from secrets import token_hex, token_urlsafe

from msgspec import Struct

from crossdock.runtime.secrets import Secret

PREFIX = "cdk_"
NAME = slice(len(PREFIX), len(PREFIX) + 12)
"""Where in a key its name stands."""
_NAME_BYTES, _SECRET_BYTES = 6, 32
_FORM = re.compile(rb"cdk_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")


class NewKey(Struct, frozen=True):
    """A key just made: shown once to its owner; `name` and `digest` are what is kept."""

    name: str
    key: Secret
    digest: bytes


def make_key() -> NewKey:
    """A new key out of the system's randomness."""
    name = token_hex(_NAME_BYTES)
    key = f"{PREFIX}{name}_{token_urlsafe(_SECRET_BYTES)}"
    return NewKey(name, Secret(key), digest_of(key.encode()))


def digest_of(key: bytes) -> bytes:
    """What is kept of a key, 32 bytes."""
    return sha256(key).digest()


def name_in(key: bytes) -> str | None:
    """The name in something that looks like a key; None when it does not."""
    found = _FORM.fullmatch(key)
    return found[1].decode() if found else None
