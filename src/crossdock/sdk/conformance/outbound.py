# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: S101 - these are tests, and pytest explains an assert
"""Tests of what goes out: whatever the other side does, a sender returns outcomes and raises nothing; a lister returns
pages or says why not."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
import pytest

from crossdock.canonical.objects import decode
from crossdock.errors import CrossdockError, NeedsConfig, NeedsEdit, OutcomeUnknown, RetryLater
from crossdock.sdk.conformance.answers import always, closed_port
from crossdock.sdk.conformance.kit import CONTEXT, Kit
from crossdock.sdk.http_status import error_of_status
from crossdock.sdk.listing import PricePage, StockPage
from crossdock.sdk.manifest import Sends
from crossdock.sdk.sending import Delivered, Failed, Outcome, Outgoing

STATUSES = (200, 201, 204, 207, 301, 400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504)
BODIES = (b"", b"garbage \xff", b"{}", b"[]", b"null", b'{"data": null, "results": null, "items": [{}]}')


class ErrorTableTests:
    """The connector's table of statuses."""

    kit: ClassVar[Kit]

    def test_every_status_has_its_recovery(self) -> None:
        """400 to 599: an error that says what happens next; one that a person has to act on says how."""
        table = self.kit.errors.STATUSES
        for status in range(400, 600):
            error = error_of_status(table, status, detail="said so")
            assert "said so" in error.reason, status
            if isinstance(error, NeedsConfig | NeedsEdit):
                assert error.fix, status

    def test_failures_of_the_other_side_are_not_the_documents(self) -> None:
        """429 waits; a 5xx is never held to have done nothing unless the system says so (503)."""
        table = self.kit.errors.STATUSES
        busy = error_of_status(table, 429, after=3)
        assert isinstance(busy, RetryLater)
        assert (busy.throttled, busy.after) == (True, 3)
        for status in (500, 502, 504, 599):
            assert isinstance(error_of_status(table, status), OutcomeUnknown)
        assert isinstance(error_of_status(table, 401), NeedsConfig)


class SenderTests:
    """Every operation against a system that is away, hangs up, or answers nonsense."""

    kit: ClassVar[Kit]

    async def test_bears_a_system_that_is_away(self, sends: Sends, translate: Any) -> None:
        """Nobody listens: tried again later, nothing unknown about it; looking says that it cannot tell."""
        (outcome,), found = await self._try(sends, await closed_port(), translate)
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, RetryLater)
        assert isinstance(found, RetryLater) or found == [None]

    async def test_bears_a_cut_connection(self, sends: Sends, translate: Any) -> None:
        """The system hangs up after it read the request."""
        async with always(200, b"", cut=True) as url:
            (outcome,), found = await self._try(sends, url, translate)
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, OutcomeUnknown | RetryLater)
        assert isinstance(found, CrossdockError) or found == [None]

    async def test_bears_any_answer(self, sends: Sends, translate: Any) -> None:
        """Every status with every kind of body: one outcome for one item, no exception, no secret in what is told."""
        secrets = self.kit.system.secrets.values() if self.kit.system is not None else ()
        for status in STATUSES:
            for body in BODIES:
                async with always(status, body) as url:
                    outcomes, found = await self._try(sends, url, translate)
                assert len(outcomes) == 1
                assert isinstance(outcomes[0], Delivered | Failed)
                told = repr((outcomes, found, getattr(outcomes[0], "error", None)))
                assert not any(secret in told for secret in secrets)

    async def test_throttling_is_told_apart(self, sends: Sends, translate: Any) -> None:
        """429: tried again later, marked as throttled."""
        async with always(429, b"{}") as url:
            (outcome,), _ = await self._try(sends, url, translate)
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, RetryLater)
        assert outcome.error.throttled

    async def _try(self, sends: Sends, url: str, translate: Any) -> tuple[list[Outcome], Any]:
        make = self.kit.connector.make_sender
        assert make is not None
        sender = make(self.kit.config(url, self._compiled(translate)))
        item = self._item(sends)
        try:
            outcomes = await sender.send(sends.operation, [item])
            try:
                found: Any = await sender.find(sends.operation, [item])
            except CrossdockError as error:
                found = error
            return outcomes, found
        finally:
            await sender.close()

    def _compiled(self, translate: Any) -> dict[str, Any]:
        def runs(mapping: Any) -> Any:
            return lambda source: translate(mapping, source, CONTEXT).document

        return {mapping.name: runs(mapping) for mapping in self.kit.connector.mappings if mapping.direction == "out"}

    def _item(self, sends: Sends) -> Outgoing:
        sampled = {entry.mapping for entry in self.kit.connector.manifest.sends if entry.object == sends.object}
        source = next(golden.source for golden in self.kit.golden if golden.mapping in sampled)
        content = msgspec.json.decode(source.read_bytes())
        return Outgoing(
            delivery_id=1,
            operation=sends.operation,
            reference=content.get("reference", "sample/1"),
            idempotency_key="6d1d2f62-3a3c-4b53-9a52-0d8f6c5b7d10",
            document=decode(sends.object, msgspec.json.encode(content["document"])),
            known={},
        )


class ListerTests:
    """Asking for stock and for prices, of a system that is away, hangs up, or answers nonsense."""

    kit: ClassVar[Kit]

    @pytest.mark.parametrize("skus", [(), ("SAMPLE-1",)])
    async def test_asking_bears_a_system_that_is_away(self, skus: tuple[str, ...]) -> None:
        """Nobody listens: asked again later. A connection that is cut: the same, because asking has no effect."""
        for answer in await self._ask(await closed_port(), skus):
            assert isinstance(answer, RetryLater)
        async with always(200, b"", cut=True) as url:
            for answer in await self._ask(url, skus):
                assert isinstance(answer, RetryLater)

    @pytest.mark.parametrize("skus", [(), ("SAMPLE-1",)])
    async def test_asking_bears_any_answer(self, skus: tuple[str, ...]) -> None:
        """Every status with every kind of body: a page or an error that says what happens next, and no secret in it."""
        secrets = self.kit.system.secrets.values() if self.kit.system is not None else ()
        fine = StockPage | PricePage | RetryLater | NeedsConfig | NeedsEdit
        for status in STATUSES:
            for body in BODIES:
                async with always(status, body) as url:
                    answers = await self._ask(url, skus)
                for answer in answers:
                    assert isinstance(answer, fine), (status, body, answer)
                    assert not any(secret in repr(answer) for secret in secrets)

    async def test_asking_too_often_waits(self) -> None:
        """429: asked again later, marked as throttled. 401: a person has to act."""
        async with always(429, b"{}") as url:
            for busy in await self._ask(url, ()):
                assert isinstance(busy, RetryLater)
                assert busy.throttled
        async with always(401, b"{}") as url:
            for refused in await self._ask(url, ()):
                assert isinstance(refused, NeedsConfig)

    async def _ask(self, url: str, skus: tuple[str, ...]) -> list[StockPage | PricePage | CrossdockError]:
        """What each listing that the connector has answers."""
        answers: list[StockPage | PricePage | CrossdockError] = []
        config, connector = self.kit.config(url, {}), self.kit.connector
        if connector.make_lister is not None:
            lister = connector.make_lister(config)
            try:
                answers.append(await lister.stock(skus=skus))
            except CrossdockError as error:
                answers.append(error)
            finally:
                await lister.close()
        if connector.make_price_lister is not None:
            price_lister = connector.make_price_lister(config)
            try:
                answers.append(await price_lister.prices(skus=skus))
            except CrossdockError as error:
                answers.append(error)
            finally:
                await price_lister.close()
        assert answers
        return answers
