# SPDX-License-Identifier: Apache-2.0
"""What Business Central's statuses and error codes mean for us.

Source: Microsoft, "Troubleshooting REST API/OData calls" (families of codes) and "Operational limits" (429, 503, 504).
"""

from __future__ import annotations

import re
from typing import Final

from crossdock.errors import NeedsConfig, NeedsEdit, OutcomeUnknown, RetryLater
from crossdock.sdk.http_status import CodeTable, Recovery, StatusTable, status_table

_LOGIN: Final = "renew the client secret of the app registration in Entra and in the estate"
_ROLE: Final = (
    "give the Entra application in Business Central the permission sets named in docs/connectors/business-central.md"
)
_LOGGED_OUT: Final = Recovery(error=NeedsConfig, reason="Business Central does not accept our credentials", fix=_LOGIN)
_NOT_ALLOWED: Final = Recovery(error=NeedsConfig, reason="the application may not do this", fix=_ROLE)
_REFERENCE: Final = Recovery(
    error=NeedsEdit,
    reason="Business Central does not know a record the document refers to",
    fix="create the customer, item, unit or location there, or correct the crosswalk, then retry",
)
_FIELD: Final = Recovery(
    error=NeedsEdit,
    reason="Business Central refuses the document",
    fix="mend what Business Central names, then retry",
)
_RULE: Final = Recovery(
    error=NeedsEdit,
    reason="a rule of Business Central refuses the document",
    fix="mend the document, or what Business Central names in its setup, then retry",
)
_CHANGED: Final = Recovery(error=RetryLater, reason="somebody changed the record at the same moment")
_BROKE: Final = Recovery(error=OutcomeUnknown, reason="Business Central failed while it worked on the call")

STATUSES: Final[StatusTable] = status_table(
    {
        400: _FIELD,
        401: _LOGGED_OUT,
        403: _NOT_ALLOWED,
        404: _REFERENCE,
        409: _CHANGED,
        412: _CHANGED,
        429: Recovery(
            error=RetryLater, reason="6,000 requests in five minutes are used up for this application", throttled=True
        ),
        503: Recovery(
            error=RetryLater,
            reason="Business Central is not available, or the call waited too long behind others of this application",
        ),
        504: Recovery(error=OutcomeUnknown, reason="the call took longer than Business Central's ten minutes"),
    }
)

DUPLICATE: Final = "Internal_EntityWithSameKeyExists"
CHANGED: Final = "Request_EntityChanged"

# `error.code`; it says more than the status. What is not here is decided by its family below.
CODES: Final[CodeTable] = {
    CHANGED: _CHANGED,
    DUPLICATE: Recovery(
        error=NeedsEdit,
        reason="Business Central has something else under this key",
        fix="compare both, then correct one of them",
    ),
    "Internal_CompanyNotFound": Recovery(
        error=NeedsConfig,
        reason="Business Central has no such company",
        fix="compare settings.company with the id of the company, as GET companies shows it",
    ),
    "Internal_InvalidTableRelation": _REFERENCE,
    "Internal_RecordNotFound": _REFERENCE,
    "Internal_ServerError": _BROKE,
    "BadRequest_NotFound": _REFERENCE,
}

# The part of a code before "_", when the code itself is not in the table. Application_*: a business rule; saying the
# same again would be refused again.
FAMILIES: Final[CodeTable] = {
    "Authentication": _LOGGED_OUT,
    "Authorization": _NOT_ALLOWED,
    "BadRequest": _FIELD,
    "Application": _RULE,
}

# The table that a refused value should have been in → the field of our document that names it.
FIELDS: Final = {
    "Customer": "customer.id",
    "Item": "lines[].sku",
    "Location": "lines[].location",
    "Currency": "currency",
    "Unit of Measure": "lines[].quantity.unit",
    "Item Unit of Measure": "lines[].quantity.unit",
    "Country/Region": "ship_to.country",
    "Shipping Agent": "carrier",
}
# What it says in other words.
SAYINGS: Final = {"sell-to customer": "customer.id"}
_RELATED: Final = re.compile(r"related table \(([^)]{1,80})\)")

# The `status` of an order that may be changed: "Open" is what the API calls one that is released, which posting does.
CHANGEABLE: Final = frozenset({"Draft", ""})

# `error` of the token endpoint (OAuth 2.0, RFC 6749 section 5.2).
REFUSED_TOKEN: Final = Recovery(
    error=NeedsConfig,
    reason="Entra gives us no access token",
    fix="compare tenant, client_id and the client secret in the estate with the app registration in Entra",
)

RELEASED: Final = Recovery(
    error=NeedsEdit,
    reason="the sales order is released: Business Central takes no change of it",
    fix="reopen the sales order in Business Central, then retry",
)

NO_EXTENSION: Final = Recovery(
    error=NeedsEdit,
    reason="Business Central has no page for this: Crossdock's extension is not installed, or under another name",
    fix="install it (docs/connectors/business-central-extension.md) or correct settings.extension, then retry",
)


def recovery_of(code: str, status: int) -> Recovery | None:
    """What the body's error `code` says; None when the status says it all (429 and 5xx do)."""
    if status == 429 or status >= 500:
        return None
    return CODES.get(code) or FAMILIES.get(code.partition("_")[0])


def field_of(message: str) -> str:
    """The field of our document that Business Central's message is about, "" when it names none of ours."""
    found = _RELATED.search(message)
    if found:
        return FIELDS.get(found.group(1), "")
    return next((field for saying, field in SAYINGS.items() if saying in message), "")
