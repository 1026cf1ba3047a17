# SPDX-License-Identifier: Apache-2.0
"""`crossdock balance`: the books, per interface and per system."""

from __future__ import annotations

import typer
from msgspec import Struct
from rich.console import Console

from crossdock.cli.connect import Connection, DataFolder, with_database
from crossdock.cli.output import EXIT_NO, AsJson, console, plain, print_json, table, until
from crossdock.journal.books import Book, DeliveryBook, OpenDocument, balance, delivery_books, open_documents

_FIGURES = ("received", "duplicate", "rejected", "settled", "open")
_OWED = ("owed", "delivered", "open", "cancelled")
_SHOWN_OPEN = 20


class Balance(Struct, frozen=True, kw_only=True):
    """What `crossdock balance --json` prints."""

    balanced: bool
    interfaces: list[Book]
    deliveries: list[DeliveryBook]
    open: list[OpenDocument]


async def read_balance(conn: Connection) -> Balance:
    """The books and the most pressing open documents."""
    books, deliveries = await balance(conn), await delivery_books(conn)
    return Balance(
        balanced=all(book.balanced for book in books) and all(book.balanced for book in deliveries),
        interfaces=books,
        deliveries=deliveries,
        open=await open_documents(conn, _SHOWN_OPEN),
    )


def show_balance(data: DataFolder = None, as_json: AsJson = False) -> None:
    """Print the books, per interface and per system; exit code 1 unless they balance.

    Received = duplicate + rejected + settled + open.
    """
    result = with_database(data, read_balance)
    if as_json:
        print_json(result)
    else:
        print_balance(result, console())
    if not result.balanced:
        raise typer.Exit(EXIT_NO)


def print_balance(result: Balance, out: Console) -> None:
    """The books as tables, contradictions named, then what is still open."""
    figures = (*_FIGURES, "of which cases", "lines")
    books = table("interface", "owner", *figures, "books", right=figures)
    for book in result.interfaces:
        values = [f"{getattr(book, name):,}" for name in _FIGURES]
        mark = plain("balanced", "green") if book.balanced else plain("NOT BALANCED", "bold red")
        cases, lines = f"{book.in_case:,}", f"{book.lines.received:,}"
        books.add_row(plain(book.interface), plain(book.owner), *values, cases, lines, mark)
    if len(result.interfaces) > 1:
        sums = [f"{sum(getattr(book, name) for book in result.interfaces):,}" for name in _FIGURES]
        cases = f"{sum(book.in_case for book in result.interfaces):,}"
        lines = f"{sum(book.lines.received for book in result.interfaces):,}"
        books.add_section()
        books.add_row("all", "", *sums, cases, lines, "", style="bold")
    out.print(books)
    if not result.interfaces:
        out.print("Nothing has come in yet, and no interface is declared.")
    for book in result.interfaces:
        difference = book.received - book.duplicate - book.rejected - book.settled - book.open
        if difference:
            out.print(plain(f"  {book.interface}: {difference:+,} received without a state", "red"))
        for wrong in book.contradictions:
            out.print(plain(f"  {book.interface}: {wrong.number:,} {wrong.what}, as {wrong.example}", "red"))
    if result.deliveries:
        owed = table("system", "operation", *_OWED, "of which cases", right=(*_OWED, "of which cases"))
        for row in result.deliveries:
            values = [f"{getattr(row, name):,}" for name in _OWED]
            owed.add_row(plain(row.system), plain(row.operation), *values, f"{row.in_case:,}")
        out.print()
        out.print(owed)
    if result.open:
        waiting = table("open document", "interface", "state", "owner", "deadline", "reason")
        for document in result.open:
            key, reason = plain(document.key), plain(document.reason[:120])
            owner, deadline = plain(document.owner), until(document.deadline)
            waiting.add_row(key, plain(document.interface), plain(document.state), owner, deadline, reason)
        out.print()
        out.print(waiting)
