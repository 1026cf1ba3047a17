# SPDX-License-Identifier: Apache-2.0
"""Country names and codes to ISO 3166-1 alpha-2."""

from __future__ import annotations

import csv
import re
from importlib.resources import files
from typing import Any

from crossdock.mapping.convert_text import text
from crossdock.mapping.failures import Unreadable, shown

# ISO 3166-1 alpha-2, with XK for Kosovo (user-assigned, used by carriers and customs).
CODES = frozenset(
    re.findall(
        "[A-Z]{2}",
        """
        AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
        CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
        FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
        JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
        MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
        PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM
        TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW
        """,
    )
)
# Names that stand for no one country: whoever maps them has to say which, in a table of their own.
AMBIGUOUS = frozenset(
    {"channel islands", "european community", "west indies", "unspecified", "unknown", "other", "europe"}
)


def _named() -> dict[str, str]:
    with files("crossdock.mapping").joinpath("countries.csv").open(encoding="utf-8") as lines:
        return {row["name"]: row["code"] for row in csv.DictReader(lines)}


# English and common other names and ISO alpha-3 codes, in small letters.
NAMES = _named()


def country(value: Any, also: Any = None) -> str:
    """ISO 3166-1 alpha-2 of a code or English name; a name that is no one country must be said.

    `("country", {"Channel Islands": "JE", "Unspecified": "GB"})`
    """
    written = text(value).strip()
    if isinstance(also, dict) and written in also:
        return text(also[written])
    if written.upper() in CODES:
        return written.upper()
    name = written.lower()
    found = NAMES.get(name)
    if found:
        return found
    fix = "send an ISO 3166 code such as GB"
    if name in AMBIGUOUS:
        raise Unreadable(f"{written!r} is not one country", f'{fix}, or name it: ["country", {{"{written}": "JE"}}]')
    raise Unreadable(f"{shown(written)!r} is not a country", fix)
