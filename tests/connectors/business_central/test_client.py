# SPDX-License-Identifier: Apache-2.0
"""Tokens, limits and refusals."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.connectors.business_central.client import RestClient
from crossdock.connectors.business_central.list_stock import SHARE
from crossdock.connectors.business_central.window import SlidingWindow
from crossdock.errors import NeedsConfig, NeedsEdit, OutcomeUnknown, RetryLater
from crossdock.runtime.clock import set_clock
from crossdock.sdk.conformance.outbound import BODIES, STATUSES
from crossdock.sdk.connector import SystemConfig, load_connector
from crossdock.sdk.listing import StockPage
from crossdock.sdk.sending import Delivered, Failed
from tests.connectors.business_central import answers
from tests.connectors.business_central.answers import SECRET, Script, expected_token, rows
from tests.connectors.business_central.documents import NOW, line, order, shipment

_RELATION = "The field No. of table Sales Line contains a value (X-1) that cannot be found in the related table ({})."
GIVEN = {
    "sales_order": order(line(1, "CD-1")),
    "order_cancel": order(line(1, "CD-1")),
    "item_fulfillment": shipment(("CD-1", 2)),
}


async def _looked(sender: Any) -> Any:
    (outcome,) = await sender.send("order_cancel", [GIVEN["order_cancel"]])
    return outcome


def _empty(company: Script) -> None:
    company.says("GET salesOrders", rows())
    company.says("GET salesInvoices", rows())


async def test_token_is_asked_for_once_and_before_it_ends(company: Script, sender: Any) -> None:
    with set_clock(NOW) as clock:
        for seconds in (0, 3530, 20):
            clock.advance(timedelta(seconds=seconds))
            _empty(company)
            assert isinstance(await _looked(sender), Delivered)
    assert company.tokens == [expected_token(), expected_token()]
    assert [told.headers["Authorization"][-1] for told in company.told] == ["1", "1", "1", "1", "2", "2"]


async def test_token_that_ended_early_is_renewed_once(company: Script, sender: Any) -> None:
    company.refuses("GET salesOrders", 401, "Authentication_InvalidCredentials", "The token has expired.")
    _empty(company)
    assert isinstance(await _looked(sender), Delivered)
    assert len(company.tokens) == 2
    for _ in range(2):
        company.refuses("GET salesOrders", 401, "Authentication_InvalidCredentials")
    outcome = await _looked(sender)
    assert isinstance(outcome.error, NeedsConfig)
    assert outcome.error.rule == "Authentication_InvalidCredentials"


async def test_refused_credentials_pause_the_system(company: Script, sender: Any) -> None:
    said = {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}
    company.token_answers.append((401, said))
    outcome = await _looked(sender)
    assert isinstance(outcome.error, NeedsConfig)
    assert "AADSTS7000215" in outcome.error.reason
    assert SECRET not in repr(outcome)


@pytest.mark.parametrize(
    ("status", "answer"), [(500, {}), (503, {}), (200, {}), (200, {"access_token": "x", "expires_in": "nan"})]
)
async def test_token_endpoint_in_trouble_is_asked_again(company: Script, sender: Any, status: int, answer: Any) -> None:
    company.token_answers.append((status, answer))
    assert isinstance((await _looked(sender)).error, RetryLater)


async def test_concurrent_calls_share_one_token(company: Script, open_sender: Any) -> None:
    client = RestClient(_config(company.url))
    for _ in range(5):
        company.says("GET salesOrders", rows())
    await asyncio.gather(*(client.page("salesOrders", "", dict) for _ in range(5)))
    await client.close()
    assert len(company.tokens) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("tenant", ""), ("tenant", "a/b"), ("company", "CRONUS"), ("environment", "x?y"), ("extension", "../v2.0")],
)
def test_settings_that_are_none_are_named(name: str, value: str) -> None:
    with pytest.raises(NeedsConfig) as raised:
        RestClient(_config("http://127.0.0.1:1", **{name: value}))
    assert raised.value.field == f"settings.{name}"


async def test_missing_client_id_is_named(company: Script, open_sender: Any) -> None:
    outcome = await _looked(open_sender("business_central", **answers.settings(company.url, client_id="")))
    assert outcome.error.field == "settings.client_id"


@pytest.mark.parametrize(
    ("status", "code", "message", "kind", "field"),
    [
        (400, "Internal_InvalidTableRelation", _RELATION.format("Item"), NeedsEdit, "lines[].sku"),
        (400, "Internal_InvalidTableRelation", _RELATION.format("Customer"), NeedsEdit, "customer.id"),
        (400, "Application_DialogException", "The sell-to customer cannot be found.", NeedsEdit, "customer.id"),
        (400, "Application_StringExceededLength", "Too long.", NeedsEdit, ""),
        (400, "BadRequest", "What?", NeedsEdit, ""),
        (403, "Authorization_RequestDenied", "No.", NeedsConfig, ""),
        (404, "Internal_CompanyNotFound", "No.", NeedsConfig, ""),
        (409, "Request_EntityChanged", "Another user has already changed the record.", RetryLater, ""),
        (412, "", "", RetryLater, ""),
        (408, "", "", OutcomeUnknown, ""),
        (500, "Internal_ServerError", "", OutcomeUnknown, ""),
        (503, "Application_DialogException", "", RetryLater, ""),
        (418, "Surprise", "", NeedsEdit, ""),
    ],
)
async def test_what_a_refusal_means(
    company: Script, sender: Any, status: int, code: str, message: str, kind: type, field: str
) -> None:
    _empty(company)
    company.refuses("POST salesOrders", status, code, message)
    (outcome,) = await sender.send("sales_order", [GIVEN["sales_order"]])
    assert isinstance(outcome, Failed)
    assert type(outcome.error) is kind
    assert getattr(outcome.error, "field", "") == field


async def test_too_many_requests_wait_as_long_as_asked(company: Script, sender: Any) -> None:
    company.says("GET salesOrders", {"error": {"code": "Application_TooManyRequests"}}, 429, {"Retry-After": "7"})
    outcome = await _looked(sender)
    assert (outcome.error.throttled, outcome.error.after) == (True, 7)


async def test_calls_stop_before_the_window_is_full(company: Script, open_sender: Any) -> None:
    """0.01 a second are three in five minutes; the fourth is not made."""
    limits = load_connector("business_central").manifest.limits
    slow = msgspec.structs.replace(limits, rate=0.01)
    sender = open_sender("business_central", **{**answers.settings(company.url), "limits": slow})
    _empty(company)
    company.says("GET salesOrders", rows())
    assert isinstance(await _looked(sender), Delivered)
    outcome = await _looked(sender)
    assert isinstance(outcome.error, RetryLater)
    assert outcome.error.throttled
    assert outcome.error.rule == "window"


def test_deliveries_and_listing_together_keep_within_the_limits() -> None:
    client, listing = RestClient(_config("http://x")), RestClient(_config("http://x"), share=SHARE)
    assert (client._window._most, listing._window._most) == (6000, 1200)
    assert (client._connections, listing._connections) == (5, 1)


@given(st.lists(st.floats(min_value=0, max_value=50), max_size=60))
def test_no_window_ever_holds_more(pauses: list[float]) -> None:
    clock = [0.0]
    window = SlidingWindow(3, 100.0, lambda: clock[0])
    made: list[float] = []
    for pause in pauses:
        clock[0] += pause
        wait = window.take()
        if wait == 0:
            made.append(clock[0])
        else:
            assert 0 < wait <= 100
            assert sum(clock[0] - 100 < at for at in made) == 3
    assert all(sum(at <= other < at + 100 for other in made) <= 3 for at in made)


@pytest.mark.parametrize("operation", list(GIVEN))
async def test_bears_any_answer_behind_the_token(company: Script, sender: Any, operation: str) -> None:
    """The conformance suite gets no further than the token."""
    for said in [(status, body) for status in STATUSES for body in BODIES]:
        company.answer_all = said
        (outcome,) = await sender.send(operation, [GIVEN[operation]])
        assert isinstance(outcome, Delivered | Failed), said
        assert SECRET not in repr(outcome)


async def test_listing_bears_any_answer_behind_the_token(company: Script, lister: Any) -> None:
    for said in [(status, body) for status in STATUSES for body in BODIES]:
        company.answer_all = said
        try:
            answer: Any = await lister.stock()
        except (RetryLater, NeedsConfig, NeedsEdit) as error:
            answer = error
        assert isinstance(answer, StockPage | RetryLater | NeedsConfig | NeedsEdit), said


def _config(url: str, **changed: Any) -> Any:
    loaded = load_connector("business_central")
    given = answers.settings(url, **changed)
    return SystemConfig(
        name="business_central",
        settings=given["settings"],
        secret=given["secrets"].__getitem__,
        limits=loaded.manifest.limits,
        names=given["names"],
        translate={},
    )
