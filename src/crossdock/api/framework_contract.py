# SPDX-License-Identifier: Apache-2.0
"""What the framework's own routes refuse, put right in the contract: it documents another form of errors than ours."""

from __future__ import annotations

from typing import Any

from crossdock.api.contract_parts import OTHER_METHOD, problem

_REFUSALS: dict[str, Any] = {
    "404": problem("nothing of that name or id"),
    "405": OTHER_METHOD,
    "422": problem("a parameter is wrong; `field` names it, `errors` lists all when there are several"),
}
_OF_BODIES: dict[str, Any] = {
    "400": problem("the body is not JSON, or nested too deeply"),
    "409": problem("it is not in a state for that, or several things are called so"),
    "413": problem("the body is too large"),
    "415": problem("the body is not JSON by its Content-Type"),
    "422": problem("a parameter or a field is wrong; `field` names it, `errors` lists all when there are several"),
}


def with_refusals(paths: dict[str, Any]) -> dict[str, Any]:
    """`paths` of the framework's document, each operation with the problem documents it may answer."""
    return {
        path: {method: _with_refusals(operation) for method, operation in methods.items()}
        for path, methods in paths.items()
    }


def _with_refusals(operation: dict[str, Any]) -> dict[str, Any]:
    if "responses" not in operation:
        return operation
    # The framework's 400 stands for what is answered 422 here.
    own = {status: answer for status, answer in operation["responses"].items() if status != "400"}
    of_body = _OF_BODIES if "requestBody" in operation else {}
    takes = bool(of_body or operation.get("parameters"))
    refusals = {status: answer for status, answer in _REFUSALS.items() if takes or status == "405"}
    return {**operation, "responses": {**refusals, **of_body, **own}}
