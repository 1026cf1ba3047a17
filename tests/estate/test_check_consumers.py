# SPDX-License-Identifier: Apache-2.0
"""What is wrong with consumers, plans and issuers of tokens is found, named and mended by what the finding says."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import msgspec
import pytest
import yaml

from crossdock.app.access import consumers_of
from crossdock.cli.check import findings_of
from crossdock.estate.consumers import SCOPES, Consumer, Plan, TokenIssuer
from crossdock.estate.load import load_estate
from crossdock.estate.schema import estate_schema
from crossdock.estate.source import read_source
from tests.estate.estates import write_estate
from tests.governance.estates import estate_text


def changed(old: str, new: str) -> str:
    text = estate_text()
    assert old in text, old
    return text.replace(old, new, 1)


def found(folder: Path, text: str) -> list[tuple[str, str, str]]:
    return [(one.severity, one.where, one.what) for one in findings_of(write_estate(folder, text))]


def test_a_sound_estate_with_consumers(tmp_path: Path) -> None:
    file = write_estate(tmp_path, estate_text())
    assert findings_of(file) == []
    validator = jsonschema.Draft202012Validator(estate_schema())
    assert list(validator.iter_errors(read_source(file).data)) == []


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        ("owner: ops\n    plan", "owner: nobody\n    plan", "consumers.portal.owner", "no 'nobody' among the owners"),
        ("plan: gold\n", "plan: brass\n", "consumers.portal.plan", "no 'brass' among the plans"),
        ("channels: [shop]", "channels: [shop, web]", "consumers.portal.channels", "no 'web' among the channels"),
        ("channels: [shop]", "entities: [us]", "consumers.portal.entities", "no 'us' among the entities"),
        ("issuer: login, id: portal", "issuer: idp, id: portal", "portal.clients", "no 'idp' among the token_issuers"),
        ("id: desk-app", "id: portal-app", "consumers.desk.clients", "client 'portal-app' of login is portal already"),
        ("  portal:\n", "  Portal:\n", "consumers.Portal", "'Portal' is no good name"),
        ("  desk:\n", "  local:\n", "consumers.local", "'local' is no good name"),
        ("rate: 1, burst: 2", "burst: 2", "plans.slow", "a burst without a rate"),
        ("http://127.0.0.1:9", "http://login.example", "login.jwks", "'http://login.example/jwks' is no https address"),
        ("http://127.0.0.1:9", "ftp://login.example", "login.jwks", "is no https address"),
        ("http://127.0.0.1:9", "https://u:p@login.example", "login.jwks", "is no https address"),
        ("http://127.0.0.1:9", "https://[", "login.jwks", "is no https address"),
    ],
)
def test_what_must_be_mended(tmp_path: Path, old: str, new: str, where: str, what: str) -> None:
    errors = [one for one in found(tmp_path, changed(old, new)) if one[0] == "error"]
    assert len(errors) == 1
    assert where in errors[0][1]
    assert what in errors[0][2]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("    channels: [shop]\n", "", "availability:read is of no use to it: it sees no channel"),
        ("channels: all, customers: all", "channels: [shop]", "ops shows it every channel and customer all the same"),
        ("gold: {quota: 100000}", "gold: {weight: 3}", "the plan limits nothing"),
    ],
)
def test_what_to_look_at(tmp_path: Path, old: str, new: str, what: str) -> None:
    assert [(severity, said) for severity, _, said in found(tmp_path, changed(old, new))] == [("warning", what)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"availability:read"', '"availability:reed"'),
        ("rate: 1", "rate: 0"),
        ("quota: 5", "quota: 0"),
        ('jwks: "', 'algorithms: [HS256], jwks: "'),
        ('jwks: "', 'algorithms: [none], jwks: "'),
        ("channels: [shop]", "channels: some"),
        ("scopes: [ops]", "scopes: []"),
    ],
)
def test_what_the_shape_does_not_take(tmp_path: Path, old: str, new: str) -> None:
    text = changed(old, new)
    (only,) = found(tmp_path, text)
    assert only[0] == "error"
    assert list(
        jsonschema.Draft202012Validator(estate_schema()).iter_errors(read_source(tmp_path / "estate.yaml").data)
    )


def test_two_names_for_one_issuer(tmp_path: Path) -> None:
    again = '  other: {issuer: "https://login.example", audience: a, jwks: "https://login.example/jwks"}\n'
    assert found(tmp_path, estate_text() + again) == [
        (
            "error",
            f"estate.yaml:{estate_text().count(chr(10)) + 1} token_issuers.other.issuer",
            "login has the same issuer",
        )
    ]


def test_nothing_is_seen_that_is_not_named(tmp_path: Path) -> None:
    def caller(text: str) -> tuple[frozenset[str] | None, frozenset[str] | None]:
        admitted = consumers_of(load_estate(write_estate(tmp_path, text))).admit("portal")
        assert admitted is not None
        return admitted.caller.channels, admitted.caller.customers

    assert caller(estate_text()) == ({"shop"}, {"C1"})
    assert caller(changed("    channels: [shop]\n    customers: [C1]\n", "")) == (frozenset(), frozenset())
    assert caller(changed("channels: [shop]", "entities: [uk]")) == ({"shop"}, {"C1"})
    assert caller(changed("channels: [shop]\n    customers: [C1]", "channels: all\n    customers: all")) == (None, None)


def test_every_scope_says_what_it_is_for() -> None:
    assert all(SCOPES.values())


def test_the_how_to_is_what_an_estate_takes() -> None:
    page = (Path(__file__).parents[2] / "docs/howto/give-a-portal-access.md").read_text(encoding="utf-8")
    first, second = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
    plan = msgspec.convert(first["plans"]["gold"], type=Plan)
    portal = msgspec.convert({**first["consumers"]["b2b-portal"], **second["consumers"]["b2b-portal"]}, type=Consumer)
    issuer = msgspec.convert(second["token_issuers"]["login"], type=TokenIssuer)
    assert (plan.rate, portal.channels, portal.clients[0].issuer) == (50, ("portal",), "login")
    assert issuer.jwks.startswith(issuer.issuer)
