# SPDX-License-Identifier: Apache-2.0
"""Token-based authentication: OAuth 1.0a requests, checked by the rules of RFC 5849 with HMAC-SHA256."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable
from urllib.parse import parse_qsl, quote, unquote

WINDOW = 300.0
MAX_NONCES = 200_000
PARAMETER = re.compile(r'\s*([A-Za-z_]+)="([^"]*)"\s*(?:,|$)')


class SignatureRefused(Exception):
    """The signed request is refused; the message says which rule it breaks (the vendor would only say
    INVALID_LOGIN)."""


class TokenAuth:
    """Checks signed requests of one consumer and token."""

    def __init__(
        self,
        *,
        realm: str,
        consumer_key: str,
        consumer_secret: str,
        token_id: str,
        token_secret: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._realm = realm
        self._known = {"oauth_consumer_key": consumer_key, "oauth_token": token_id}
        self._key = f"{escape(consumer_secret)}&{escape(token_secret)}".encode()
        self._clock = clock
        self._nonces: dict[tuple[str, str], float] = {}

    def check(self, method: str, base_url: str, raw_query: str, header: str) -> None:
        """Raise SignatureRefused unless `header` (the Authorization header) signs this request. `base_url` has no
        query."""
        given = parse_header(header)
        if given.get("realm") != self._realm:
            raise SignatureRefused("realm is the account id, upper case, with an underscore")
        if given.get("oauth_signature_method") != "HMAC-SHA256":
            raise SignatureRefused("oauth_signature_method must be HMAC-SHA256")
        if given.get("oauth_version", "1.0") != "1.0":
            raise SignatureRefused("oauth_version must be 1.0")
        for name, value in self._known.items():
            if given.get(name) != value:
                raise SignatureRefused(f"{name} is unknown")
        base = base_string(method, base_url, raw_query, given)
        wanted = base64.b64encode(hmac.new(self._key, base.encode(), hashlib.sha256).digest()).decode()
        if not hmac.compare_digest(wanted.encode(), given.get("oauth_signature", "").encode()):
            raise SignatureRefused("the signature does not match")
        self._fresh(given)

    def _fresh(self, given: dict[str, str]) -> None:
        stamp, nonce = given.get("oauth_timestamp", ""), given.get("oauth_nonce", "")
        now = self._clock()
        if not stamp.isdigit() or abs(now - int(stamp)) > WINDOW:
            raise SignatureRefused(f"oauth_timestamp is more than {WINDOW:.0f} seconds away")
        if not nonce or (stamp, nonce) in self._nonces:
            raise SignatureRefused("oauth_nonce was used before")
        if len(self._nonces) >= MAX_NONCES:
            self._nonces = {key: seen for key, seen in self._nonces.items() if now - seen <= 2 * WINDOW}
        self._nonces[stamp, nonce] = now


def escape(text: str) -> str:
    """Percent-encode all but the unreserved characters (RFC 5849 section 3.6)."""
    return quote(text, safe="-._~")


def parse_header(header: str) -> dict[str, str]:
    """The parameters of an `OAuth …` Authorization header, decoded. Raises SignatureRefused when it has another
    form."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "oauth":
        raise SignatureRefused("the Authorization header is not OAuth")
    return {name: unquote(value) for name, value in PARAMETER.findall(rest)}


def base_string(method: str, base_url: str, raw_query: str, given: dict[str, str]) -> str:
    """The signature base string (RFC 5849 section 3.4.1): all parameters but realm and the signature, sorted."""
    pairs = [(name, value) for name, value in given.items() if name not in ("realm", "oauth_signature")]
    pairs += parse_qsl(raw_query, keep_blank_values=True)
    encoded = sorted((escape(name), escape(value)) for name, value in pairs)
    parameters = "&".join(f"{name}={value}" for name, value in encoded)
    return "&".join((method.upper(), escape(base_url), escape(parameters)))
