# SPDX-License-Identifier: Apache-2.0
"""Tokens of others: believed only when everything about them holds, and keys asked for within bounds."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import jwt
import msgspec
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crossdock.errors import RetryLater
from crossdock.governance.caller import Caller
from crossdock.governance.consumers import Consumers
from crossdock.governance.jwks import FRESH, GOOD, MOST_KEYS, PAUSE, KeySet
from crossdock.governance.meter import Limits
from crossdock.governance.refusal import UnknownCaller
from crossdock.governance.tokens import LARGEST, Issuer, Tokens
from crossdock.runtime.clock import now
from crossdock.runtime.http import open_session
from tests.governance.estates import AUDIENCE, ISSUER, Authority, authority

PORTAL = Caller(
    consumer="portal",
    scopes=frozenset({"availability:read", "orders:read"}),
    channels=frozenset({"shop"}),
    customers=None,
    plan="gold",
)


class Checked:
    """Tokens of one authority, checked by a clock that is set."""

    def __init__(self, authority: Authority, keys: KeySet, algorithms: tuple[str, ...]) -> None:
        self.authority = authority
        self.keys = keys
        issuer = Issuer(
            issuer=ISSUER,
            audience=AUDIENCE,
            algorithms=algorithms,
            client_claim="client_id",
            scope_claim="scope",
            consumers={"portal-app": "portal", "gone-app": "gone"},
            keys=keys,
        )
        self.tokens = Tokens([issuer], Consumers({"portal": PORTAL}, {"gold": Limits(name="gold")}), now)

    async def caller(self, token: str | bytes) -> Caller:
        raw = token if isinstance(token, bytes) else token.encode()
        return (await self.tokens.admit(raw)).caller

    async def reason(self, token: str | bytes) -> str:
        with pytest.raises(UnknownCaller) as caught:
            await self.caller(token)
        assert caught.value.status == 401
        assert dict(caught.value.headers)[b"www-authenticate"].endswith(b'error="invalid_token"')
        return caught.value.reason.removeprefix("the credential ")


@pytest.fixture
def ticks() -> list[float]:
    return [1000.0]


@pytest_asyncio.fixture
async def checked(ticks: list[float]) -> AsyncIterator[Checked]:
    async with authority() as (made, address), open_session(total=5) as session:
        yield Checked(made, KeySet(address, session, lambda: ticks[0]), ("ES256", "RS256"))


async def test_a_good_token_is_its_consumer_with_what_both_allow(checked: Checked) -> None:
    caller = await checked.caller(checked.authority.token(scope="availability:read ops"))
    assert caller == msgspec.structs.replace(PORTAL, scopes=frozenset({"availability:read"}))
    listed = await checked.caller(checked.authority.token(scope=["orders:read", 7], header={"typ": "at+JWT"}))
    assert listed.scopes == {"orders:read"}
    assert (await checked.caller(checked.authority.token(scope=None))).scopes == frozenset()
    assert checked.authority.asked == 1


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": 1_000_000_000}, "has expired"),
        ({"exp": None}, "does not hold"),
        ({"exp": "soon"}, "does not hold"),
        ({"nbf": 4_000_000_000}, "does not hold"),
        ({"aud": "https://other.example"}, "is for another audience"),
        ({"aud": None}, "does not hold"),
        ({"aud": []}, "does not hold"),
        ({"iss": "https://evil.example"}, "is of no issuer that is believed here"),
        ({"iss": None}, "is of no issuer that is believed here"),
        ({"client_id": "other-app"}, "is of a client that is no consumer here"),
        ({"client_id": "gone-app"}, "is of a client that is no consumer here"),
        ({"client_id": None}, "is of a client that is no consumer here"),
        ({"client_id": {"id": "portal-app"}}, "is of a client that is no consumer here"),
        ({"cnf": {"jkt": "x"}}, "is bound to a key of its client, which is not checked here"),
    ],
)
async def test_a_claim_that_does_not_hold(checked: Checked, claims: dict[str, Any], reason: str) -> None:
    assert await checked.reason(checked.authority.token(**claims)) == reason


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"kid": "k2"}, "is signed with no key of its issuer"),
        ({"kid": ""}, "is signed with no key of its issuer"),
        ({"typ": "logout+jwt"}, "is no access token"),
        ({"crit": ["x"], "x": 1}, "does not hold"),
    ],
)
async def test_a_header_that_does_not_hold(checked: Checked, header: dict[str, Any], reason: str) -> None:
    assert await checked.reason(checked.authority.token(header=header)) in (reason, "cannot be read")


async def test_a_token_without_signature_is_nothing(checked: Checked) -> None:
    signed = checked.authority.token()
    head = base64.urlsafe_b64encode(b'{"alg":"none","kid":"k1"}').rstrip(b"=").decode()
    for token in (f"{head}.{signed.split('.')[1]}.", f"{head}.{signed.split('.')[1]}.AAAA"):
        assert await checked.reason(token) == "is signed in a way that is not taken here"


async def test_a_public_key_makes_nobody_a_signer(checked: Checked) -> None:
    public = checked.authority.keys["k1"].public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    said = {"iss": ISSUER, "aud": AUDIENCE, "exp": 4_000_000_000, "client_id": "portal-app"}
    # PyJWT itself refuses to sign so; a forger does not ask it.
    parts = [
        base64.urlsafe_b64encode(msgspec.json.encode(part)).rstrip(b"=")
        for part in ({"alg": "HS256", "kid": "k1", "typ": "JWT"}, said)
    ]
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = base64.urlsafe_b64encode(mac.sign(b".".join(parts), pem)).rstrip(b"=")
    assert await checked.reason(b".".join([*parts, signature])) == "is signed in a way that is not taken here"


async def test_a_key_signs_in_its_own_way_only(checked: Checked) -> None:
    checked.authority.add_rsa("r1")
    assert (await checked.caller(checked.authority.token("r1", "RS256"))).consumer == "portal"
    # The header says one key, another one signed.
    assert await checked.reason(checked.authority.token("r1", "RS256", header={"kid": "k1"})) == "does not hold"
    assert await checked.reason(checked.authority.token("r1", "RS512")) == "is signed in a way that is not taken here"


async def test_a_changed_token_does_not_hold(checked: Checked) -> None:
    head, body, signature = checked.authority.token().split(".")
    other = checked.authority.token(scope="ops", client_id="portal-app").split(".")[1]
    assert await checked.reason(f"{head}.{other}.{signature}") == "does not hold"
    assert await checked.reason(f"{head}.{body}.{signature[:-8]}AAAAAAAA") == "does not hold"


@pytest.mark.parametrize(
    "token", [b"", b"a.b", b"a.b.c", b"..", b"\xff.\xff.\xff", b"eyJhbGciOiJFUzI1NiJ9.W10.AA", b"x" * LARGEST + b".y.z"]
)
async def test_what_is_no_token(checked: Checked, token: bytes) -> None:
    assert await checked.reason(token) in ("cannot be read", "is neither a key nor a token that is taken here")
    assert checked.authority.asked == 0


async def test_an_unknown_key_is_asked_for_once_in_a_while_only(checked: Checked, ticks: list[float]) -> None:
    await checked.caller(checked.authority.token())
    assert checked.authority.asked == 1
    for number in range(50):
        await checked.reason(checked.authority.token(header={"kid": f"no-{number}"}))
    assert checked.authority.asked == 1
    ticks[0] += PAUSE
    for number in range(50):
        await checked.reason(checked.authority.token(header={"kid": f"nor-{number}"}))
    assert checked.authority.asked == 2


async def test_a_new_key_is_found_and_a_withdrawn_one_is_refused(checked: Checked, ticks: list[float]) -> None:
    old = checked.authority.token()
    await checked.caller(old)
    checked.authority.keys["k2"] = ec.generate_private_key(ec.SECP256R1())
    checked.authority.published = ["k2"]
    ticks[0] += PAUSE
    assert (await checked.caller(checked.authority.token("k2"))).consumer == "portal"
    # It was good a moment ago and is kept as such, but keys have changed since.
    assert await checked.reason(old) == "is signed with no key of its issuer"


async def test_keys_become_due_and_the_last_good_ones_last_for_a_day(checked: Checked, ticks: list[float]) -> None:
    await checked.caller(checked.authority.token())
    assert not checked.keys.due
    checked.authority.status = 500
    ticks[0] += FRESH + 1
    assert checked.keys.due
    await checked.keys.refresh()
    assert (await checked.caller(checked.authority.token(jti="2"))).consumer == "portal"
    ticks[0] += GOOD
    with pytest.raises(RetryLater) as caught:
        await checked.caller(checked.authority.token(jti="3"))
    assert (caught.value.rule, caught.value.after) == ("access.issuer", PAUSE)


async def test_a_token_that_was_good_ends_with_the_keys_it_was_checked_by(checked: Checked, ticks: list[float]) -> None:
    token = checked.authority.token()
    await checked.caller(token)
    checked.authority.status = 500
    ticks[0] += GOOD
    assert (await checked.caller(token)).consumer == "portal"
    ticks[0] += 1
    with pytest.raises(RetryLater):
        await checked.caller(token)
    checked.authority.status = 200
    ticks[0] += PAUSE
    assert (await checked.caller(token)).consumer == "portal"


async def test_while_keys_were_never_read_nobody_is_judged(checked: Checked) -> None:
    checked.authority.status = 503
    with pytest.raises(RetryLater):
        await checked.caller(checked.authority.token())


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"keys": {}}',
        msgspec.json.encode({"keys": [{"kid": str(n), "kty": "RSA"} for n in range(MOST_KEYS + 1)]}),
        b'{"keys": "' + b"x" * 300_000 + b'"}',
    ],
)
async def test_a_document_that_is_none(checked: Checked, body: bytes) -> None:
    checked.authority.body = body
    with pytest.raises(RetryLater):
        await checked.caller(checked.authority.token())


async def test_keys_that_cannot_be_used_are_left_out(checked: Checked) -> None:
    good = checked.authority.jwk("k1")
    shared = {"kty": "oct", "kid": "s", "k": base64.urlsafe_b64encode(b"x" * 32).decode(), "alg": "HS256"}
    odd: list[Any] = [1, {}, {"kid": 7}, {"kid": "a", "kty": "RSA"}, {"kid": "b", "kty": "EC", "crv": "no"}, shared]
    sealed = {**good, "kid": "e", "use": "enc"}
    other = {**good, "kid": "o", "alg": "ES512"}
    unsigned = {**good, "kid": "u", "alg": "none"}
    checked.authority.body = msgspec.json.encode({"keys": [*odd, sealed, other, unsigned, good]})
    assert (await checked.caller(checked.authority.token())).consumer == "portal"
    for name in ("a", "b", "s", "e", "o", "u"):
        reason = await checked.reason(checked.authority.token(header={"kid": name}))
        assert reason == "is signed with no key of its issuer"
