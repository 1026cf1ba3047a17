# SPDX-License-Identifier: Apache-2.0
"""`crossdock route` and `crossdock policy replay`: where orders go and why, and where they would go by other rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from crossdock.app.policy import Report, Shipping, decide_again, decide_once, deciding_by, replay_policy
from crossdock.app.wiring import Wired, wire
from crossdock.canonical.objects import decode
from crossdock.canonical.sales_order import SalesOrder
from crossdock.cli.connect import Connection, DataFolder, with_database
from crossdock.cli.moment import HELP, moment
from crossdock.cli.options import DEFAULT_ESTATE, EstateFile
from crossdock.cli.output import EXIT_NO, EXIT_USAGE, AsJson, console, fail, money, plain, print_json, table
from crossdock.errors import CrossdockError, NeedsConfig, NeedsEdit
from crossdock.journal.kept import order_of
from crossdock.routing.policy import Policy
from crossdock.routing.route import DecisionRecord
from crossdock.runtime.clock import now

app = typer.Typer(help="Try routing rules on recorded orders.", no_args_is_help=True)
LARGEST = 10 * 1024 * 1024
_SHOWN = 20

Explain = Annotated[bool, typer.Option("--explain", help="Say also what was not chosen, and what would change that.")]


@app.callback()
def _group() -> None:
    """Try routing rules on recorded orders."""


def show_route(
    order: Annotated[str, typer.Argument(help="An order's key (channel/id), or a file with a canonical sales order.")],
    explain: Explain = False,
    estate: EstateFile = DEFAULT_ESTATE,
    as_json: AsJson = False,
    data: DataFolder = None,
) -> None:
    """Route an order by the estate's rules as they are now, without any effect, and say why it goes there."""
    wired = _wired(estate)
    given = _read(Path(order)) if Path(order).is_file() else None

    async def decide(conn: Connection) -> DecisionRecord:
        by = await deciding_by(conn, wired.estate)
        if given is not None:
            _check_channel(given.channel, by.policy)
            return await decide_once(conn, given, by)
        kept = await order_of(conn, order)
        if kept is None:
            raise NeedsEdit(
                f"there is no order {order!r}, and no file of that name",
                fix="`crossdock trace` finds orders by number",
            )
        _check_channel(decode("sales_order", kept.body).channel, by.policy)
        return await decide_again(conn, kept, by)

    record = with_database(data, decide)
    if as_json:
        print_json(record)
        return
    out = console()
    for reason in record.why:
        out.print(plain(reason))
    if explain:
        _print_passed(record, out)


def _check_channel(channel: str, policy: Policy) -> None:
    if channel not in policy.channels:
        raise NeedsEdit(f"channel {channel!r} is not in the estate", field="channel", fix="put one that is")


def _read(path: Path) -> SalesOrder:
    try:
        if path.stat().st_size > LARGEST:
            raise NeedsEdit(f"{path} is larger than {LARGEST // 1024 // 1024} MB", fix="give one order a file")
        order: SalesOrder = decode("sales_order", path.read_bytes())
    except OSError as error:
        raise fail(NeedsConfig(f"{path} cannot be read: {error.strerror}", fix="check its name and rights")) from error
    except msgspec.DecodeError as error:
        wrong = NeedsEdit(f"{path} is no canonical sales order: {error}", fix="see /schemas/sales_order/1")
        raise fail(wrong) from error
    except CrossdockError as error:
        raise fail(error) from error
    return order


def _print_passed(record: DecisionRecord, out: Console) -> None:
    rows = table("instead of", "not", "because", "would change that")
    passed = record.passed_by_choice()
    for chosen, others in passed:
        for other in others:
            rows.add_row(plain(chosen), plain(other.name), plain(other.why_not), plain(other.would_change))
    out.print(rows if passed else plain("there was nothing else to choose"))


@app.command("replay")
def replay(
    rules: Annotated[
        Path, typer.Option("--rules", help="The estate file with the new rules.", exists=True, dir_okay=False)
    ],
    since: Annotated[str, typer.Option("--since", help=f"Orders placed from then on. {HELP}", metavar="TIME")],
    until: Annotated[
        str | None, typer.Option("--until", help="Orders placed before then (default: now).", metavar="TIME")
    ] = None,
    as_json: AsJson = False,
    data: DataFolder = None,
) -> None:
    """Decide recorded orders again by other routing rules and say what would change, in orders and in money.

    Nothing is changed. Exit code 0: every order would go where it went; 1: some would not; 2: wrong usage, or the file
    cannot be used; 3: the database cannot be reached.
    """
    begin = moment(since)
    end = moment(until) if until is not None else now()
    if begin >= end:
        raise typer.BadParameter("it is not before --until", param_hint="--since")
    wired = _wired(rules)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=as_json) as progress:
        task = progress.add_task("orders", total=None)

        def tell(done: int, total: int) -> None:
            progress.update(task, completed=done, total=max(total, done))

        report = with_database(data, lambda conn: replay_policy(conn, wired.estate, begin, end, tell))
    if as_json:
        print_json(report)
    else:
        print_report(report, console())
    if report.moved:
        raise typer.Exit(EXIT_NO)


def print_report(report: Report, out: Console) -> None:
    """What would move in sum, and the first orders one by one."""
    out.print(f"{report.orders:,} orders, {report.moved:,} would go otherwise")
    if report.undecided:
        out.print(plain(f"{report.undecided:,} have no decision on record", "yellow"))
    if report.unseen:
        unseen = f"{report.unseen:,} did not note what was in stock: decided as if everything had been everywhere"
        out.print(plain(unseen, "yellow"))
    _print_shipping(report.shipping, out)
    if not report.moves:
        return
    sums = table("what", "from", "to", "orders", "money", right=("orders", "money"))
    for one in report.sums:
        sums.add_row(
            one.kind,
            plain(one.before or "-"),
            plain(one.after or "-"),
            f"{one.orders:,}",
            money(one.amount, one.currency),
        )
    out.print(sums)
    moves = table("order", "what", "from", "to", "lines", "money", "because", right=("money",))
    for move in report.moves[:_SHOWN]:
        texts = (move.before or "-", move.after or "-", ", ".join(move.lines) or "all")
        moves.add_row(
            plain(move.order_key),
            move.kind,
            *(plain(text) for text in texts),
            money(move.amount, move.currency),
            plain(move.why),
        )
    out.print(moves)
    if len(report.moves) > _SHOWN:
        out.print(f"  and {len(report.moves) - _SHOWN:,} more (--json has up to 1,000)")


def _print_shipping(shipping: Shipping, out: Console) -> None:
    if shipping.orders:
        out.print(f"shipments: {shipping.shipments_before:,} as it was, {shipping.shipments_after:,} by the new rules")
    if shipping.currency:
        was, would = (money(one, shipping.currency) for one in (shipping.cost_before, shipping.cost_after))
        out.print(f"shipping: {was} as it was, {would} by the new rules, both by the new costs")
    if shipping.unpriced:
        out.print(plain(f"{shipping.unpriced:,} orders leave from where there is no rate", "yellow"))


def _wired(path: Path) -> Wired:
    try:
        return wire(path)
    except CrossdockError as error:
        fail(error)
        raise typer.Exit(EXIT_USAGE) from error
