# SPDX-License-Identifier: Apache-2.0
"""Signatures: the published test vector, tolerance, rotation, missing secrets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.errors import NeedsConfig, Unauthenticated
from crossdock.sdk.signatures import (
    check_hmac_base64,
    check_standard_webhook,
    hmac_sha256_base64,
    sign_standard_webhook,
)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FORMER = "whsec_c2FtcGxlLXNlY3JldC1vZi10aGUtd2FyZWhvdXNlLWJlZm9yZQ=="
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BODY = b'{"test": 2432232314}'


def _headers(secret: str = SECRET, at: datetime = NOW, body: bytes = BODY) -> dict[str, str]:
    stamp = int(at.timestamp())
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(stamp),
        "webhook-signature": sign_standard_webhook("msg_1", stamp, body, secret),
    }


def test_standard_webhooks_reference_vector() -> None:
    # The example of the reference libraries of Standard Webhooks.
    signature = sign_standard_webhook("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, BODY, SECRET)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_standard_webhook_is_accepted_under_any_secret_and_among_other_signatures() -> None:
    check_standard_webhook(_headers(), BODY, [SECRET], now=NOW)
    check_standard_webhook(_headers(FORMER), BODY, [SECRET, FORMER], now=NOW)
    headers = _headers()
    headers["webhook-signature"] = f"v1a,abc v1,wrong {headers['webhook-signature']}"
    check_standard_webhook(headers, BODY, [SECRET], now=NOW)


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_standard_webhook_out_of_time_is_refused(seconds: int) -> None:
    with pytest.raises(Unauthenticated, match="clock"):
        check_standard_webhook(_headers(at=NOW + timedelta(seconds=seconds)), BODY, [SECRET], now=NOW)
    check_standard_webhook(_headers(at=NOW + timedelta(seconds=300)), BODY, [SECRET], now=NOW)


@pytest.mark.parametrize("stamp", ["", "now", "-5", "1.5", "٣", "9" * 30])
def test_standard_webhook_with_a_bad_time_is_refused(stamp: str) -> None:
    with pytest.raises(Unauthenticated):
        check_standard_webhook({**_headers(), "webhook-timestamp": stamp}, BODY, [SECRET], now=NOW)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_%%%", ""])
def test_secret_in_another_form_needs_configuration_and_is_not_shown(secret: str) -> None:
    with pytest.raises(NeedsConfig) as caught:
        check_standard_webhook(_headers(), BODY, [secret], now=NOW)
    assert not secret or secret not in str(caught.value)


@given(body=st.binary(max_size=100), secret=st.text(min_size=1, max_size=20), other=st.text(min_size=1, max_size=20))
def test_hmac_is_accepted_under_its_own_secret_only(body: bytes, secret: str, other: str) -> None:
    signature = hmac_sha256_base64(body, secret)
    check_hmac_base64(body, signature, [other, secret], header="h")
    with pytest.raises(Unauthenticated):
        check_hmac_base64(body + b"x", signature, [secret], header="h")
    if secret.rstrip("\0") != other.rstrip("\0"):
        with pytest.raises(Unauthenticated):
            check_hmac_base64(body, signature, [other], header="h")


@pytest.mark.parametrize("secrets", [[], [""], ["right", ""]])
def test_empty_secret_never_opens_the_door(secrets: list[str]) -> None:
    with pytest.raises(NeedsConfig):
        check_hmac_base64(BODY, hmac_sha256_base64(BODY, ""), secrets, header="h")
