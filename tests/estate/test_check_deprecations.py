# SPDX-License-Identifier: Apache-2.0
"""`crossdock check` looks over the routes that end: each slip has its place and its mending."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossdock.cli.check import findings_of
from tests.estate.estates import SOUND, write_estate

SOUND_ENDING = "{deprecated_on: 2027-01-01, sunset: 2027-07-01, replaced_by: GET /v1/availability}"


@pytest.mark.parametrize(
    ("entries", "severity", "what"),
    [
        ("  GET orders: {LIFE}", "error", "'GET orders' is no route"),
        ("  FETCH /v1/orders: {LIFE}", "error", "'FETCH /v1/orders' is no route"),
        ("  GET /v1/nothing: {LIFE}", "error", "there is no route 'GET /v1/nothing'"),
        (
            "  GET /v1/orders: {deprecated_on: 2027-01-01, replaced_by: GET /v1/availability}",
            "warning",
            "deprecated without a sunset date",
        ),
        (
            "  GET /v1/orders: {sunset: 2027-01-01, replaced_by: GET /v1/availability}",
            "warning",
            "deprecated without a deprecated_on date",
        ),
        (
            "  GET /v1/orders: {deprecated_on: 2027-01-01, sunset: 2027-07-01}",
            "warning",
            "callers are not told what to use instead",
        ),
        (
            "  GET /v1/orders: {deprecated_on: 2027-01-02, sunset: 2027-01-01, link: 'https://x.example'}",
            "error",
            "sunset 2027-01-01 comes before deprecated_on 2027-01-02",
        ),
        (
            "  GET /v1/orders: {deprecated_on: 2027-01-01, sunset: 2027-07-01, link: 'javascript:1'}",
            "error",
            "'javascript:1' is no address",
        ),
        (
            "  GET /v1/orders: {deprecated_on: 2027-01-01, sunset: 2027-07-01, replaced_by: GET /v1/orders}",
            "error",
            "GET /v1/orders is replaced in a circle by GET /v1/orders",
        ),
        (
            "  GET /v1/orders: {deprecated_on: 2027-01-01, sunset: 2027-07-01, replaced_by: GET /v1/availability}\n"
            "  GET /v1/availability: {deprecated_on: 2027-01-01, sunset: 2027-07-01, retired: true,"
            " link: 'https://x.example'}",
            "error",
            "its successor GET /v1/availability is retired",
        ),
    ],
)
def test_a_slip_is_told(tmp_path: Path, entries: str, severity: str, what: str) -> None:
    text = f"{SOUND}deprecations:\n{entries.replace('{LIFE}', SOUND_ENDING)}\n"
    found = [one for one in findings_of(write_estate(tmp_path, text)) if one.what == what]
    assert [one.severity for one in found] == [severity]
    assert found[0].fix
    assert "deprecations." in found[0].where


def test_a_sound_ending_is_left_alone(tmp_path: Path) -> None:
    text = f"{SOUND}deprecations:\n  GET /v1/orders/{{id}}: {SOUND_ENDING}\n"
    assert findings_of(write_estate(tmp_path, text)) == []
