# SPDX-License-Identifier: Apache-2.0
"""`crossdock interfaces`: who answers for each interface, where it is in its life, and whether it is still used."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from msgspec import Struct

from crossdock.app.order_interfaces import order_interfaces
from crossdock.cli.connect import Connection, DataFolder, with_database
from crossdock.cli.options import DEFAULT_ESTATE, EstateFile
from crossdock.cli.output import AsJson, console, duration, fail, plain, print_json, table
from crossdock.errors import CrossdockError
from crossdock.estate.compile import CompiledEstate, compile_estate
from crossdock.estate.load import Estate, load_estate
from crossdock.governance.caller import LOCAL
from crossdock.journal.last import LastUse, last_uses
from crossdock.settings import Settings

_SENDS = frozenset({"orders:write", "returns:write"})
_STYLES = {"planned": "dim", "active": "", "deprecated": "yellow", "retired": "dim"}


class Listed(Struct, frozen=True, kw_only=True):
    """One interface. `overdue`: it is past its sunset and not retired. `use`: None when the database was not asked.

    `consumers`: those of the API that may send by it (orders and returns of a channel come in that way).
    """

    interface: str
    system: str
    direction: str
    object: str
    owner: str
    tier: str
    version: int
    state: str
    deprecated_on: date | None
    sunset: date | None
    replaced_by: str
    overdue: bool
    use: LastUse | None
    consumers: list[str] = []


def show_interfaces(
    estate: EstateFile = DEFAULT_ESTATE,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """List interfaces: owner, tier, version, state, dates, when a message came last, and who may send by it.

    The last message is asked of the database when --data, CROSSDOCK_DATA or DATABASE_URL names one.
    """
    try:
        compiled = compile_estate(load_estate(estate))
    except CrossdockError as error:
        raise fail(error) from error
    uses = _asked(data)
    listed = listing(compiled, uses, datetime.now(UTC).date())
    if as_json:
        print_json(listed)
    else:
        _print(listed, asked=uses is not None)


def _asked(data: Path | None) -> dict[str, LastUse] | None:
    if data is None and not Settings.load().database_url:
        return None

    async def ask(conn: Connection) -> dict[str, LastUse]:
        return await last_uses(conn)

    return with_database(data, ask)


def listing(estate: CompiledEstate, uses: dict[str, LastUse] | None, today: date) -> list[Listed]:
    """Every interface of `estate` as it stands on `today` (UTC), in the order of the file; then those by which orders
    of the API come in."""
    never = LastUse(interface="", last_message=None, refused=0, last_refused=None)
    declared = [
        Listed(
            interface=name,
            system=one.system,
            direction=one.declared.direction,
            object=one.object,
            owner=one.owner,
            tier=one.tier,
            version=one.declared.version,
            state=one.declared.state,
            deprecated_on=one.declared.deprecated_on,
            sunset=one.declared.sunset,
            replaced_by=one.declared.replaced_by,
            overdue=one.declared.sunset is not None
            and one.declared.sunset <= today
            and one.declared.state != "retired",
            use=None if uses is None else uses.get(name, never),
        )
        for name, one in estate.interfaces.items()
    ]
    return declared + [
        Listed(
            interface=one.name,
            system=one.system,
            direction="in",
            object="sales_order",
            owner=one.owner,
            tier=api.tier,
            version=1,
            state="active",
            deprecated_on=None,
            sunset=None,
            replaced_by="",
            overdue=False,
            use=None if uses is None else uses.get(one.name, never),
            consumers=senders(estate.declared, channel),
        )
        for one in order_interfaces(estate)
        for channel in (one.name.removesuffix(".api"),)
        if (api := estate.declared.channels[channel].by_api) is not None
    ]


def senders(estate: Estate, channel: str) -> list[str]:
    """The consumers of the API that may place orders or ask for returns on `channel`; `local` where there are none."""
    if not estate.consumers:
        return [LOCAL.consumer]
    entity = estate.channels[channel].entity
    return [
        name
        for name, one in estate.consumers.items()
        if _SENDS & set(one.scopes) and (one.channels == "all" or channel in one.channels or entity in one.entities)
    ]


def _print(listed: list[Listed], *, asked: bool) -> None:
    columns = ("interface", "owner", "tier", "version", "state", "deprecated on", "sunset", "replaced by")
    asked_for = ("last message", "refused") if asked else ()
    shown = table(*columns, *asked_for, "consumers", right=("version", "refused"))
    for one in listed:
        overdue = plain(f"{one.sunset} (passed)", "bold red") if one.overdue else plain(one.sunset or "")
        cells = [
            plain(one.interface),
            plain(one.owner),
            plain(one.tier),
            plain(one.version),
            plain(one.state, _STYLES.get(one.state, "")),
            plain(one.deprecated_on or ""),
            overdue,
            plain(one.replaced_by),
        ]
        if one.use is not None:
            cells += [plain(_ago(one.use.last_message)), plain(f"{one.use.refused:,}" if one.use.refused else "")]
        shown.add_row(*cells, plain(", ".join(one.consumers)))
    console().print(shown)


def _ago(at: datetime | None) -> str:
    return "never" if at is None else f"{duration((datetime.now(UTC) - at).total_seconds())} ago"
