# SPDX-License-Identifier: Apache-2.0
"""OAuth 1.0a, checked against oauthlib's signing: the simulator verifies with code of its own."""

from __future__ import annotations

import pytest
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256, Client

from crossdock.sandbox.netsuite.tba import SignatureRefused, TokenAuth, base_string, parse_header

URL = "http://127.0.0.1:8080/services/rest/record/v1/salesOrder/eid%3AA%231"
NOW = 1_800_000_000.0


def auth() -> TokenAuth:
    return TokenAuth(
        realm="ACC_SB1", consumer_key="ck", consumer_secret="cs&%", token_id="tk", token_secret="ts", clock=lambda: NOW
    )


def header(url: str = URL, **other: str) -> str:
    settings = {
        "client_secret": "cs&%",
        "resource_owner_key": "tk",
        "resource_owner_secret": "ts",
        "realm": "ACC_SB1",
        "signature_method": SIGNATURE_HMAC_SHA256,
        "timestamp": str(int(NOW)),
        "nonce": "n1",
        **other,
    }
    client = Client(settings.pop("client_key", "ck"), **settings)
    _, headers, _ = client.sign(url, http_method="PUT")
    return str(headers["Authorization"])


def test_a_good_signature_passes_with_and_without_query() -> None:
    auth().check("PUT", URL, "", header())
    auth().check("PUT", URL, "replace=item&q=a%20b", header(f"{URL}?replace=item&q=a%20b"))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"client_key": "other"}, "oauth_consumer_key"),
        ({"resource_owner_key": "other"}, "oauth_token"),
        ({"realm": "acc_sb1"}, "realm"),
        ({"client_secret": "wrong"}, "signature does not match"),
        ({"signature_method": "HMAC-SHA1"}, "HMAC-SHA256"),
        ({"timestamp": str(int(NOW) - 301)}, "oauth_timestamp"),
    ],
)
def test_what_is_refused(other: dict[str, str], message: str) -> None:
    with pytest.raises(SignatureRefused, match=message):
        auth().check("PUT", URL, "", header(**other))


def test_method_address_and_query_are_signed() -> None:
    signed = header()
    for method, url, query in (("POST", URL, ""), ("PUT", f"{URL}2", ""), ("PUT", URL, "replace=item")):
        with pytest.raises(SignatureRefused, match="does not match"):
            auth().check(method, url, query, signed)


def test_a_nonce_is_good_once() -> None:
    desk = auth()
    desk.check("PUT", URL, "", header())
    with pytest.raises(SignatureRefused, match="nonce"):
        desk.check("PUT", URL, "", header())
    desk.check("PUT", URL, "", header(nonce="n2"))


def test_the_base_string_of_rfc_5849_section_3_4_1_1() -> None:
    given = parse_header(
        'OAuth realm="Example", oauth_consumer_key="9djdj82h48djs9d2", oauth_token="kkk9d7dh3k39sjv7",'
        ' oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131201", oauth_nonce="7d8f3e4a",'
        ' oauth_signature="bYT5CMsGcbgUdFHObYMEfcx6bsw%3D"'
    )
    text = base_string("POST", "http://example.com/request", "b5=%3D%253D&a3=a&c%40=&a2=r%20b&c2&a3=2+q", given)
    assert text == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26"
        "c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26"
        "oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )
