# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from crossdock.sandbox.books import Books
from crossdock.sandbox.netsuite.assertion import ASSERTION_TYPE, GrantError, TokenDesk
from crossdock.sandbox.netsuite.keys import make_certificate

KEY, CERTIFICATE = make_certificate()
OTHER_KEY, _ = make_certificate()
RSA = rsa.generate_private_key(public_exponent=65537, key_size=3072)
RSA_PUBLIC = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
AUDIENCE = "https://acc.suitetalk.api.netsuite.com/services/rest/auth/oauth2/v1/token"


def desk(certificate: str = CERTIFICATE, **more: Any) -> TokenDesk:
    settings: dict[str, Any] = {"certificate_id": "cert-1", "client_id": "client-1", "token_seconds": 3600.0, **more}
    return TokenDesk(Books(), certificate=certificate, **settings)


def form(
    key: Any = KEY, algorithm: str = "ES256", kid: str = "cert-1", drop: str | None = None, **claims: Any
) -> dict[str, str]:
    now = int(time.time())
    body = {"iss": "client-1", "scope": ["rest_webservices"], "aud": AUDIENCE, "iat": now, "exp": now + 600, **claims}
    if drop is not None:
        del body[drop]
    assertion = jwt.encode(body, key, algorithm=algorithm, headers={"kid": kid})
    return {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


def test_a_good_assertion_gets_a_token_that_expires() -> None:
    now = [time.time()]
    made = desk(clock=lambda: now[0])
    answer = made.grant(form(), frozenset({AUDIENCE}))
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", "3600")
    assert made.knows(answer["access_token"])
    now[0] += 3601
    assert not made.knows(answer["access_token"])
    assert not made.knows("made-up")


def test_rsa_pss_passes_and_rs256_does_not() -> None:
    made = desk(RSA_PUBLIC.decode())
    assert made.grant(form(RSA, "PS256"), frozenset({AUDIENCE}))
    with pytest.raises(GrantError):
        made.grant(form(RSA, "RS256"), frozenset({AUDIENCE}))


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (lambda: form(OTHER_KEY), "invalid_grant"),
        (lambda: form(kid="other"), "invalid_grant"),
        (lambda: form(iss="other"), "invalid_grant"),
        (lambda: form(aud="https://elsewhere/token"), "invalid_grant"),
        (lambda: form(exp=int(time.time()) - 10), "invalid_grant"),
        (lambda: form(exp=int(time.time()) + 7200), "invalid_grant"),
        (lambda: form(drop="iat"), "invalid_grant"),
        (lambda: form(scope=["restlets"]), "invalid_scope"),
        (lambda: {**form(), "client_assertion": "nonsense"}, "invalid_grant"),
        (lambda: {**form(), "grant_type": "password"}, "unsupported_grant_type"),
        (lambda: {**form(), "client_assertion_type": "x"}, "invalid_request"),
    ],
)
def test_what_is_refused(sent: Callable[[], dict[str, str]], code: str) -> None:
    with pytest.raises(GrantError) as caught:
        desk().grant(sent(), frozenset({AUDIENCE}))
    assert caught.value.code == code
