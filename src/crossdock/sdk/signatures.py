# SPDX-License-Identifier: Apache-2.0
"""Signatures of messages: checked in constant time, against every secret that is current or being rotated out."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256

from crossdock.errors import NeedsConfig, Unauthenticated

# Standard Webhooks: "within some allowable tolerance of the current timestamp"; its reference libraries use 5 minutes.
TOLERANCE_SECONDS = 300
MAX_SIGNATURES = 16


def hmac_sha256_base64(body: bytes, secret: str) -> str:
    """The base64 HMAC-SHA256 of `body` under `secret` taken as UTF-8 text."""
    return _hmac_base64(body, secret).decode()


def check_hmac_base64(body: bytes, signature: str | None, secrets: Sequence[str], *, header: str) -> None:
    """Return when any of `secrets` made the base64 HMAC-SHA256 `signature` of the raw `body`.

    Every secret is tried whatever the outcome of the one before, so the time taken says nothing about which matched.
    Raises Unauthenticated when the signature is missing or wrong, NeedsConfig when there is no secret to check with.
    """
    if not signature:
        raise Unauthenticated(f"header {header} is missing", fix=f"send the signature of the raw body in {header}")
    _require(secrets)
    given = signature.strip().encode()
    matches = False
    for secret in secrets:
        matches |= hmac.compare_digest(_hmac_base64(body, secret), given)
    if not matches:
        raise Unauthenticated(
            f"the signature in {header} does not match the body",
            fix="sign the raw bytes of the body with the secret that the estate names for this system",
        )


def _hmac_base64(body: bytes, secret: str) -> bytes:
    return b2a_base64(hmac.digest(secret.encode(), body, "sha256"), newline=False)


def sign_standard_webhook(message_id: str, timestamp: int, body: bytes, secret: str) -> str:
    """One `v1,…` signature as Standard Webhooks describes it. `timestamp`: seconds since 1970.

    Raises NeedsConfig when `secret` is not `whsec_` + base64 of at least 24 bytes.
    """
    return "v1," + b64encode(_digest(message_id, timestamp, body, _key(secret))).decode()


def check_standard_webhook(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now: datetime, prefix: str = "webhook-"
) -> None:
    """Return when the request is a Standard Webhook signed by any of `secrets` within five minutes of `now`.

    `headers`: names in lower case. Raises Unauthenticated (missing or malformed header, time out of tolerance, no
    matching `v1` signature) or NeedsConfig (no secret, or one that is not in the `whsec_` form).
    """
    message_id, timestamp, signatures = _read(headers, prefix)
    drift = abs(now.timestamp() - timestamp)
    if drift > TOLERANCE_SECONDS:
        raise Unauthenticated(
            f"{prefix}timestamp is {drift:.0f} s away from our clock, allowed are {TOLERANCE_SECONDS} s",
            fix="check the clock of the sender; sign every attempt with the time of that attempt",
        )
    _require(secrets)
    wanted = [b64encode(_digest(message_id, timestamp, body, _key(secret))) for secret in secrets]
    given = [
        part[3:].encode() for part in signatures.split(" ", MAX_SIGNATURES)[:MAX_SIGNATURES] if part.startswith("v1,")
    ]
    matches = [hmac.compare_digest(ours, theirs) for ours in wanted for theirs in given]
    if not any(matches):
        raise Unauthenticated(
            f"no v1 signature in {prefix}signature matches the body",
            fix="sign '{id}.{timestamp}.{raw body}' with the secret that the estate names for this system",
        )


def _read(headers: Mapping[str, str], prefix: str) -> tuple[str, int, str]:
    values = []
    for name in ("id", "timestamp", "signature"):
        value = headers.get(prefix + name, "").strip()
        if not value:
            raise Unauthenticated(
                f"header {prefix}{name} is missing", fix="sign requests as Standard Webhooks describes"
            )
        values.append(value)
    message_id, timestamp, signatures = values
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise Unauthenticated(f"{prefix}timestamp is not a whole number of seconds since 1970")
    return message_id, int(timestamp), signatures


def _digest(message_id: str, timestamp: int, body: bytes, key: bytes) -> bytes:
    return hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, sha256)


def _key(secret: str) -> bytes:
    try:
        key = b64decode(secret.removeprefix("whsec_"), validate=True)
    except (BadBase64, ValueError):
        key = b""
    if not secret.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise NeedsConfig(
            "the webhook secret is not in the Standard Webhooks form",
            field="secrets.webhook",
            fix="use the secret as the system shows it: whsec_ followed by base64 of 24 to 64 bytes",
        )
    return key


def _require(secrets: Sequence[str]) -> None:
    if not secrets or not all(secrets):
        raise NeedsConfig(
            "there is no secret to check signatures with",
            field="secrets.webhook",
            fix="name the secret in the estate file: secrets: {webhook: 'env:NAME'}",
        )
