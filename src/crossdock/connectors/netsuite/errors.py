# SPDX-License-Identifier: Apache-2.0
"""What NetSuite's statuses and error codes mean for us. Source: SuiteTalk REST 2026.1, "Error Handling"."""

from __future__ import annotations

from typing import Final

from crossdock.errors import NeedsConfig, NeedsEdit, OutcomeUnknown, RetryLater
from crossdock.sdk.http_status import CodeTable, Recovery, StatusTable, status_table

_LOGIN: Final = "renew the certificate or token in NetSuite (a sandbox refresh wipes it) and the secret in the estate"
_ROLE: Final = "give the integration's role the permission that NetSuite names"
_LIMIT: Final = Recovery(error=RetryLater, reason="the account's limit of calls in flight is reached", throttled=True)
_REFERENCE: Final = Recovery(
    error=NeedsEdit,
    reason="NetSuite does not know a record the document refers to",
    fix="create the customer, item or location in NetSuite, or correct the crosswalk, then retry",
)
_FIELD: Final = Recovery(
    error=NeedsEdit,
    reason="NetSuite refuses a field of the document",
    fix="mend the field that NetSuite names, then retry",
)

STATUSES: Final[StatusTable] = status_table(
    {
        401: Recovery(error=NeedsConfig, reason="NetSuite does not accept our credentials", fix=_LOGIN),
        403: Recovery(error=NeedsConfig, reason="the integration's role may not do this", fix=_ROLE),
        404: _REFERENCE,
        429: _LIMIT,
    }
)

# `o:errorDetails[].o:errorCode`; it says more than the status.
CODES: Final[CodeTable] = {
    "INVALID_LOGIN": Recovery(error=NeedsConfig, reason="NetSuite does not accept our credentials", fix=_LOGIN),
    "INVALID_LOGIN_ATTEMPT": Recovery(error=NeedsConfig, reason="NetSuite does not accept our credentials", fix=_LOGIN),
    "INSUFFICIENT_PERMISSION": Recovery(error=NeedsConfig, reason="the integration's role may not do this", fix=_ROLE),
    "CONCURRENCY_LIMIT_EXCEEDED": _LIMIT,
    "SSS_REQUEST_LIMIT_EXCEEDED": _LIMIT,
    "NONEXISTENT_ID": _REFERENCE,
    "INVALID_KEY_OR_REF": _REFERENCE,
    "INVALID_CONTENT": _FIELD,
    "USER_ERROR": _FIELD,
    "RCRD_HAS_BEEN_CHANGED": Recovery(error=RetryLater, reason="somebody changed the record at the same moment"),
    "UNEXPECTED_ERROR": Recovery(error=OutcomeUnknown, reason="NetSuite failed while it worked on the call"),
}

# `error` of the token endpoint (OAuth 2.0, RFC 6749 section 5.2).
REFUSED_TOKEN: Final = Recovery(
    error=NeedsConfig,
    reason="NetSuite gives us no access token",
    fix="compare client_id, certificate_id, algorithm and private_key in the estate with the integration in NetSuite",
)
