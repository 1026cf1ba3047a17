# SPDX-License-Identifier: Apache-2.0
"""Why a request is not let in: unknown (401), not allowed (403), too much (429). No text repeats a credential."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from crossdock.errors import Refused

HeaderList = Sequence[tuple[bytes, bytes]]
_REALM = b'Bearer realm="crossdock"'


class NotLetIn(Refused):
    """The request does not reach its route. `headers`: what the answer carries besides."""

    code = "forbidden"

    def __init__(self, reason: str, *, status: int, rule: str, fix: str, headers: HeaderList) -> None:
        super().__init__(reason, status=status, rule=rule, fix=fix)
        self.headers = headers


class UnknownCaller(NotLetIn):
    """No credential, or none that holds."""

    code = "unauthenticated"

    def __init__(self, reason: str, *, rule: str, fix: str, given: bool = True) -> None:
        """`given`: there was a credential; without one no error is named (RFC 6750, 3.1)."""
        challenge = _REALM + (b', error="invalid_token"' if given else b"")
        super().__init__(reason, status=401, rule=rule, fix=fix, headers=[(b"www-authenticate", challenge)])


class NotAllowedTo(NotLetIn):
    """The caller lacks a scope."""

    def __init__(self, consumer: str, scope: str) -> None:
        named = scope.encode()
        super().__init__(
            f"{consumer} lacks the scope {scope}",
            status=403,
            rule="access.scope",
            fix=f"grant {scope} to the consumer in the estate and to the key or token it shows",
            headers=[(b"www-authenticate", _REALM + b', error="insufficient_scope", scope="%s"' % named)],
        )


class TooMuch(NotLetIn):
    """The caller's plan is used up for now. `after`: seconds until it is worth trying again."""

    code = "limited"

    def __init__(self, reason: str, *, rule: str, fix: str, after: float, headers: HeaderList = ()) -> None:
        wait = max(1, ceil(after))
        whole = [(b"retry-after", b"%d" % wait), *headers]
        super().__init__(reason, status=429, rule=rule, fix=fix, headers=whole)
        self.after = after
