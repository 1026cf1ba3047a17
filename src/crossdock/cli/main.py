# SPDX-License-Identifier: Apache-2.0
"""The `crossdock` command. Only the module of the command that is asked for is imported, so that roles stay small."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

# Command → module and what it offers: a function (one command) or a typer.Typer (a group of them).
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("crossdock.cli.demo", "demo"),
    "up": ("crossdock.cli.up", "up"),
    "gateway": ("crossdock.cli.roles", "gateway"),
    "worker": ("crossdock.cli.roles", "worker"),
    "scheduler": ("crossdock.cli.roles", "scheduler"),
    "check": ("crossdock.cli.check", "check_estate"),
    "send": ("crossdock.cli.send", "send"),
    "balance": ("crossdock.cli.balance", "show_balance"),
    "trace": ("crossdock.cli.trace", "show_trace"),
    "cases": ("crossdock.cli.cases", "app"),
    "route": ("crossdock.cli.policy", "show_route"),
    "policy": ("crossdock.cli.policy", "app"),
    "replay": ("crossdock.cli.replay", "app"),
    "reconcile": ("crossdock.cli.reconcile_prices", "app"),
    "export": ("crossdock.cli.export", "app"),
    "kpi": ("crossdock.cli.kpi", "show_kpi"),
    "events": ("crossdock.cli.events", "app"),
    "audit": ("crossdock.cli.audit", "app"),
    "openapi": ("crossdock.cli.contracts", "show_openapi"),
    "asyncapi": ("crossdock.cli.contracts", "show_asyncapi"),
    "interfaces": ("crossdock.cli.interfaces", "show_interfaces"),
    "contract": ("crossdock.cli.contract", "app"),
    "reservations": ("crossdock.cli.reservations", "app"),
    "key": ("crossdock.cli.key", "app"),
    "consumers": ("crossdock.cli.consumers", "app"),
    "subscriptions": ("crossdock.cli.subscriptions", "app"),
    "migrate": ("crossdock.cli.migrate", "migrate"),
}


def build(names: list[str]) -> typer.Typer:
    """The application with the commands called `names`."""
    app = typer.Typer(
        name="crossdock",
        help="Open distribution middleware: every document accounted for, an order in the ERP exactly once.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_show_locals=False,
    )
    app.callback()(_callback)
    for name in names:
        module, attribute = COMMANDS[name]
        offered = getattr(import_module(module), attribute)
        if isinstance(offered, typer.Typer):
            app.add_typer(offered, name=name)
        else:
            app.command(name)(offered)
    return app


def _callback() -> None:
    """Crossdock: open distribution middleware."""


def main() -> None:
    """Run the command line."""
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    build([asked] if asked in COMMANDS else list(COMMANDS))()
