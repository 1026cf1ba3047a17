# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: S101 - these are tests, and pytest explains an assert
"""Tests of what comes in: samples, hostile samples, signatures, identification."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.canonical.objects import KIND_OF, decode, encode
from crossdock.errors import NeedsConfig, NeedsEdit, Refused, Unauthenticated
from crossdock.sdk.conformance.kit import CONTEXT, Golden, Hostile, Kit
from crossdock.sdk.receiving import Identified

_GARBAGE = st.one_of(
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
        max_leaves=10,
    ).map(msgspec.json.encode),
)


class GoldenTests:
    """Golden samples both ways."""

    kit: ClassVar[Kit]

    def test_golden_sample(self, golden: Golden, translate: Any) -> None:
        """What a mapping makes of its sample is what lies beside it."""
        mapping = self.kit.connector.mapping(golden.mapping)
        source: Any = golden.source.read_bytes()
        if mapping.direction == "out":
            source = self._source(golden.mapping, source)
        document = translate(mapping, source, CONTEXT).document
        if mapping.direction == "in":
            assert KIND_OF[type(document)] == mapping.target
            document = msgspec.json.decode(encode(document))
        assert document == msgspec.json.decode(golden.expected.read_bytes())

    def _source(self, mapping: str, body: bytes) -> Any:
        source = msgspec.json.decode(body)
        kinds = [sends.object for sends in self.kit.connector.manifest.sends if sends.mapping == mapping]
        if kinds:
            source["document"] = decode(kinds[0], msgspec.json.encode(source["document"]))
        return source


class HostileTests:
    """Bodies that nobody should send."""

    kit: ClassVar[Kit]

    def test_hostile_sample(self, hostile: Hostile, translate: Any) -> None:
        """A hostile body becomes a case that names a field, and never ends in another exception."""
        body = hostile.path.read_bytes()
        mapping = self.kit.connector.mapping(hostile.mapping)
        problems = [identified.problem for identified in self._identified(hostile.mapping, body)]
        assert len(set(problems)) <= 1, "topics of one mapping disagree about the body"
        failures: list[NeedsEdit] = []
        try:
            failures.extend(translate(mapping, body, CONTEXT).failures)
        except NeedsEdit as error:
            failures.append(error)
        for failure in failures:
            assert failure.field
            assert failure.reason
        if hostile.refused:
            assert failures, "the body was translated as if nothing were wrong with it"

    def test_truncated_body_is_a_problem(self, hostile: Hostile) -> None:
        """A body that is no JSON is kept with its problem, and not lost."""
        if hostile.case == "truncated" and self.kit.connector.receiver is not None:
            for identified in self._identified(hostile.mapping, hostile.path.read_bytes()):
                assert identified.problem

    def _identified(self, mapping: str, body: bytes) -> list[Identified]:
        receiver, webhook = self.kit.connector.receiver, self.kit.webhook
        if receiver is None or webhook is None:
            return []
        headers = webhook.sign(body, webhook.secret)
        return [receiver.identify(self.kit.request(topic, body, headers)) for topic in self.kit.topics(mapping)]


class ReceiverTests:
    """Signatures and identification of a receiver."""

    kit: ClassVar[Kit]

    def test_right_signature_is_accepted(self, topic: str) -> None:
        """The current secret, and one that is being rotated out, on either side."""
        webhook, receiver, body = self._parts()
        for signed_with, accepted in (
            (webhook.secret, [webhook.secret]),
            (webhook.secret, [webhook.former, webhook.secret]),
            (webhook.former, [webhook.secret, webhook.former]),
        ):
            receiver.authenticate(self.kit.request(topic, body, webhook.sign(body, signed_with)), accepted)

    def test_wrong_signature_is_refused(self, topic: str) -> None:
        """Another secret, an altered body, a missing or mangled header."""
        webhook, receiver, body = self._parts()
        right = webhook.sign(body, webhook.secret)
        name = webhook.signature_header
        without = {header: value for header, value in right.items() if header != name}
        for headers, sent in (
            (webhook.sign(body, webhook.former), body),
            (right, body + b" "),
            (right, b""),
            (without, body),
            ({**right, name: ""}, body),
            ({**right, name: "ünsinn, v1,"}, body),
            ({**right, name: right[name][:-4]}, body),
        ):
            with pytest.raises(Unauthenticated):
                receiver.authenticate(self.kit.request(topic, sent, headers), [webhook.secret])

    def test_no_secret_is_no_free_pass(self, topic: str) -> None:
        """Without a secret nothing is accepted: an empty key would be one that everybody has."""
        webhook, receiver, body = self._parts()
        headers = webhook.sign(body, webhook.secret)
        for secrets in ([], [""]):
            with pytest.raises((NeedsConfig, Unauthenticated)):
                receiver.authenticate(self.kit.request(topic, body, headers), secrets)

    def test_missing_headers_are_refused(self, topic: str) -> None:
        """A header that the vendor always sends is missing: the sender is told."""
        webhook, receiver, body = self._parts()
        for name in webhook.required:
            headers = {header: value for header, value in webhook.headers.items() if header != name}
            with pytest.raises(Refused):
                receiver.identify(self.kit.request(topic, body, headers))

    def test_identification_is_stable(self, topic: str) -> None:
        """The same delivery is identified the same way on every retry; key and topic are never empty."""
        webhook, receiver, body = self._parts()
        request = self.kit.request(topic, body, webhook.sign(body, webhook.secret))
        first = receiver.identify(request)
        assert first == receiver.identify(request)
        assert first.dedup_key
        assert first.key
        assert first.topic

    def test_identify_bears_garbage(self, topic: str) -> None:
        """Whatever the body, `identify` answers: a problem, keys that a database can hold, a version of 64 bits."""
        webhook, receiver, _ = self._parts()

        @settings(max_examples=150, deadline=None, database=None)
        @given(_GARBAGE)
        def bears(body: bytes) -> None:
            identified = receiver.identify(self.kit.request(topic, body, webhook.sign(body, webhook.secret)))
            assert 0 < len(identified.key) <= 300
            assert "\0" not in identified.key + identified.dedup_key
            assert 0 <= identified.version < 1 << 63

        bears()

    def _parts(self) -> tuple[Any, Any, bytes]:
        assert self.kit.webhook is not None, "samples/webhook.toml is missing"
        inbound = {mapping.name for mapping in self.kit.inbound()}
        body = next(golden.source.read_bytes() for golden in self.kit.golden if golden.mapping in inbound)
        return self.kit.webhook, self.kit.connector.receiver, body
