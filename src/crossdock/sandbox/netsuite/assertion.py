# SPDX-License-Identifier: Apache-2.0
"""OAuth 2.0 machine-to-machine: client assertions in, bearer tokens out."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from crossdock.sandbox.books import Books

ALGORITHMS = ("PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""RS256 is not accepted."""
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_ASSERTION_SECONDS = 3600
SCOPE = "rest_webservices"


class GrantError(Exception):
    """The token request is refused: OAuth error code and description."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code


class TokenDesk:
    """Issues bearer tokens for assertions signed with the key of the configured certificate."""

    def __init__(
        self,
        books: Books,
        *,
        certificate: str,
        certificate_id: str,
        client_id: str,
        token_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._books = books
        self._key: Any = _public_key(certificate) if certificate else None
        self._certificate_id = certificate_id
        self._client_id = client_id
        self._seconds = token_seconds
        self._clock = clock

    def grant(self, form: Mapping[str, Any], audiences: frozenset[str]) -> dict[str, Any]:
        """Return the token answer. Raises GrantError with what is wrong."""
        if form.get("grant_type") != "client_credentials":
            raise GrantError("unsupported_grant_type", "grant_type must be client_credentials")
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise GrantError("invalid_request", "client_assertion_type must be the jwt-bearer type")
        self._check(str(form.get("client_assertion", "")), audiences)
        token = secrets.token_urlsafe(32)
        self._books.put("tokens", token, self._clock() + self._seconds)
        self._books.bump("tokens.issued")
        return {"access_token": token, "expires_in": str(int(self._seconds)), "token_type": "bearer"}

    def knows(self, token: str) -> bool:
        """Whether the bearer token was issued here and has not expired."""
        until = self._books.table("tokens").get(token)
        return until is not None and until > self._clock()

    def _check(self, assertion: str, audiences: frozenset[str]) -> None:
        if self._key is None:
            raise GrantError("invalid_client", "no certificate is mapped to this integration")
        try:
            header = jwt.get_unverified_header(assertion)
            claims = jwt.decode(
                assertion,
                self._key,
                algorithms=list(ALGORITHMS),
                audience=sorted(audiences),
                issuer=self._client_id,
                options={"require": ["exp", "iat", "iss", "aud"]},
            )
        except jwt.PyJWTError as error:
            raise GrantError("invalid_grant", f"the client assertion is refused: {error}") from error
        if header.get("kid") != self._certificate_id:
            raise GrantError("invalid_grant", "kid is not the id of a mapped certificate")
        if claims["exp"] - claims["iat"] > MAX_ASSERTION_SECONDS:
            raise GrantError("invalid_grant", "exp is more than one hour after iat")
        scope = claims.get("scope")
        if SCOPE not in (scope if isinstance(scope, list) else str(scope).split()):
            raise GrantError("invalid_scope", f"scope must hold {SCOPE}")


def _public_key(pem: str) -> Any:
    data = pem.encode()
    if b"BEGIN CERTIFICATE" in data:
        return x509.load_pem_x509_certificate(data).public_key()
    return load_pem_public_key(data)
