# SPDX-License-Identifier: Apache-2.0
"""Business Central's error shape, and the published codes (Microsoft: "Error codes" of the REST API)."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
from aiohttp import web

NOT_FOUND = "BadRequest_NotFound"
NO_SEGMENT = "BadRequest_ResourceNotFound"
READ_ONLY = "BadRequest_InvalidOperation"
BAD_REQUEST = "BadRequest"
BAD_TOKEN = "BadRequest_InvalidToken"  # noqa: S105 - an error code about etags
NO_VALUE = "BadRequest_RequiredParamNotProvided"
METHOD_NOT_ALLOWED = "BadRequest_MethodNotAllowed"
NOT_IMPLEMENTED = "BadRequest_MethodNotImplemented"
CHANGED = "Request_EntityChanged"
SAME_KEY = "Internal_EntityWithSameKeyExists"
NO_RELATION = "Internal_InvalidTableRelation"
NO_COMPANY = "Internal_CompanyNotFound"
SERVER_ERROR = "Internal_ServerError"
UNAVAILABLE = "Internal_TenantUnavailable"
DIALOG = "Application_DialogException"
TOO_LONG = "Application_StringExceededLength"
FIELD_VALUE = "Application_FieldValidationException"
CREDENTIALS = "Authentication_InvalidCredentials"
UNKNOWN = "Unknown"
"""What is told of an error that is in no published row (such as the body of a 429)."""


class BusinessCentralError(Exception):
    """A refused call: HTTP status, `error.code` and the text of `error.message`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def dialog(message: str) -> BusinessCentralError:
    """The application itself refuses (AL's `Error`)."""
    return BusinessCentralError(400, DIALOG, message)


def error_body(code: str, message: str) -> dict[str, Any]:
    """The envelope of every error. Two spaces stand before and after `CorrelationId:`, as in the published samples."""
    return {"error": {"code": code, "message": f"{message}  CorrelationId:  {uuid.uuid4()}."}}


def error_response(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    """An error answer."""
    body = msgspec.json.encode(error_body(code, message))
    return web.Response(body=body, status=status, headers=headers, content_type="application/json", charset="utf-8")
