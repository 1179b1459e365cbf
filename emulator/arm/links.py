"""Links an answer carries: operation URLs."""

from __future__ import annotations

from emulator.call import Call
from emulator.model import Group, Operation


def operation_header(call: Call, group: Group, operation: Operation) -> dict[str, str]:
    """``azure-asyncoperation``: always api-version 2018-06-01, signed, never with Retry-After."""
    url = (
        f"{call.base}/subscriptions/{group.subscription}/providers/Microsoft.ContainerInstance"
        f"/locations/{group.location}/operations/{operation.id}?api-version=2018-06-01"
    )
    if operation.signature:
        url += "&" + operation.signature
    return {"azure-asyncoperation": url}
