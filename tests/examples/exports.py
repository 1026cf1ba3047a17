# SPDX-License-Identifier: Apache-2.0
"""Exports as the distributor of the example sends them: where the real one lies, and small ones of every kind."""

from __future__ import annotations

from pathlib import Path

REAL = Path(__file__).parents[3] / "shared" / "data" / "online_retail.csv.gz"
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
SMALL = (
    HEADER
    + """\
600001,10001,RED  LANTERN ,6,2010-06-01 08:26:00,2.55,20001.0,United Kingdom
600001,10001a,RED LANTERN,1,2010-06-01 08:27:00,0.0,20001.0,United Kingdom
600001,POST,POSTAGE,1,2010-06-01 08:26:00,18.0,20001.0,United Kingdom
600002,10001A,RED LANTERN,3,2010-06-01 09:00:00,2.95,,Channel Islands
C600003,10001,RED LANTERN,-2,2010-06-02 10:00:00,2.55,20001.0,United Kingdom
C600003,D,Discount,-1,2010-06-02 10:00:00,27.5,20001.0,United Kingdom
600004,10001,damaged,-10,2010-06-03 10:00:00,0.0,,United Kingdom
600005,10002,,25,2010-06-03 11:00:00,0.0,,United Kingdom
600006,10001,RED LANTERN,4,2010-06-03 12:00:00,0.0,20002.0,France
A600007,B,Adjust bad debt,1,2010-06-04 10:00:00,-11.5,,United Kingdom
600008,10001,RED LANTERN,1,2010-06-05 10:00:00,2.55,,Unspecified
600009,M,Manual,1,2010-12-05 10:00:00,0.005,20001.0,United Kingdom
"""
)
# Rows of one invoice that do not stand together, a line that is there twice, a charge that rounds to nothing.
SCATTERED = """\
600010,10001,RED LANTERN,1,2010-06-07 10:00:00,2.55,20001.0,France
600011,10001,RED LANTERN,2,2010-06-07 11:00:00,2.55,20002.0,Germany
600010,10001,RED LANTERN,1,2010-06-07 10:00:00,2.55,20001.0,France
600011,PADS,PADS TO MATCH ALL CUSHIONS,1,2010-06-07 11:00:00,0.001,20002.0,Germany
600010,POST,POSTAGE,1,2010-06-07 10:01:00,15.0,20001.0,France
600012,BANK CHARGES,Bank Charges,1,2010-12-07 10:00:00,12.5,20001.0,France
"""
# Rows that nobody should send, each an invoice of its own, and what a person reads of it.
BROKEN: list[tuple[bytes, str]] = [
    (
        b"700001,99999,NO SUCH THING,1,2010-06-08 10:00:00,2.55,20001.0,France",
        "'99999' is not in the crosswalk 'sku'",
    ),
    (
        b"700002,10001,RED LANTERN,many,2010-06-08 10:00:00,2.55,20001.0,France",
        "rows[0].Quantity: 'many' is not a decimal number; "
        "rows[0].Quantity: 'many' is not a decimal number; "
        "rows: line 1: Quantity times UnitPrice cannot be worked out",
    ),
    (
        b"700003,10001,RED LANTERN,1,2010-06-08 10:00:00,2.55",
        "row 4: 6 columns where the header has 8",
    ),
    (
        b"700004,10001,RED LANT\xc9RN,1,2010-06-08 10:00:00,2.55,20001.0,France",
        "row 5: byte 22 of the line is not utf-8",
    ),
    (
        b"700005,10001,RED LANTERN,0,2010-06-08 10:00:00,2.55,20001.0,France",
        "quantity is 0",
    ),
    (
        b"700006,10001,RED LANTERN,1,2010-13-45 10:00:00,2.55,20001.0,France",
        "'2010-13-45 10:00:00' is not a time",
    ),
    (
        b"700007,10001,RED LANTERN,1,2010-06-08 10:00:00,NaN,20001.0,France",
        "rows[0].UnitPrice: NaN is not a finite number; "
        "rows[0].Quantity: NaN is not a finite number; "
        "rows: NaN is not a finite number",
    ),
    (
        b"700008,10001,RED LANTERN,1,2010-06-08 10:00:00,1e400,20001.0,France",
        "rows[0].UnitPrice: the number has more than 24 digits before the point; "
        "rows[0].Quantity: the number has more than 24 digits before the point; "
        "rows: line 1: Quantity times UnitPrice cannot be worked out",
    ),
    (
        b"700009,10001,RED LANTERN,1,2010-06-08 10:00:00,2.55,20001.0,Atlantis",
        "'Atlantis' is not a country",
    ),
    (
        b"700010,10001,RED LANTERN,1,2010-06-08 10:00:00,2.55,somebody,France",
        "'somebody' is not a decimal number",
    ),
    (
        b",10001,RED LANTERN,1,2010-06-08 10:00:00,2.55,20001.0,France",
        "the row has no group key",
    ),
    (
        b'700012,10001,"RED LANTERN,1,2010-06-08 10:00:00,2.55,20001.0,France',
        "row 13: a quote is opened and not closed, or stands inside a field",
    ),
]
