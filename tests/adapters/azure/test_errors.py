"""From an HTTP answer, as azure-core reports it, to the one line a user reads."""

from __future__ import annotations

import json
import ssl
from typing import Any

import pytest
import requests
from azure.core.exceptions import (
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
    map_error,
)
from urllib3.exceptions import MaxRetryError, NameResolutionError, NewConnectionError, ProtocolError

from adapters.azure.errors import error_for
from adapters.azure.fault import Kind, fault_of
from statemachine import errors
from statemachine.secret import Secret


class Response:
    """What azure-core's exceptions need of a response."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self.status_code = status
        self.reason = "Reason"
        self.headers = {"x-ms-request-id": "westeurope:1", **(headers or {})}
        self._body = body if isinstance(body, str) else json.dumps(body)

    def text(self, _encoding: str | None = None) -> str:
        return self._body


def arm(status: int, code: str, message: str) -> HttpResponseError:
    return HttpResponseError(response=Response(status, {"error": {"code": code, "message": message}}))


# Codes and messages as they were recorded or reported, each with the class it must become.
RECORDED = [
    (404, "ResourceNotFound", "The Resource 'x' under resource group 'y' was not found.", "GroupMissing"),
    (404, "ResourceGroupNotFound", "Resource group 'x' could not be found.", "GroupMissing"),
    (404, "ContainerNotFound", "The container 'c' does not exist in container group 'g'.", "GroupMissing"),
    (409, "ContainerGroupTransitioning", "The container group 'X' is still transitioning.", "Transitioning"),
    (400, "InaccessibleImage", "The image 'I' in container group 'G' is not accessible.", "Image"),
    (409, "RegistryErrorResponse", "An error response is received from the Docker registry.", "Image"),
    (400, "ImageOsTypeNotMatchContainerGroup", "OS type mismatch", "Image"),
    (409, "ServiceUnavailable", "The requested resource is not available in the location 'L'", "Capacity"),
    (400, "Conflict", "The requested resource with '4' CPU is not available in the location 'L'", "Capacity"),
    (409, "ServiceUnavailable", "container group quota 'ContainerGroups' exceeded in region 'R'.", "Quota"),
    (503, "ServiceUnavailable", "Try later", "Unavailable"),
    (400, "ContainerGroupQuotaReached", "container group quota 'StandardCores' exceeded in region 'R'.", "Quota"),
    (400, "DnsNameLabelNotAvailable", "The DNS name label 'l' in container group 'g' not available.", "NameRefused"),
    (500, "InternalServerError", "The DNS name label 'l' in container group 'g' not available.", "NameRefused"),
    (409, "MissingSubscriptionRegistration", "The subscription is not registered to use namespace", "NotRegistered"),
    (403, "AuthorizationFailed", "does not have authorization to perform action 'a/b' over scope '/s'", "AccessDenied"),
    (403, "LinkedAuthorizationFailed", "no permission to perform action 'subnets/join/action'", "AccessDenied"),
    (401, "InvalidAuthenticationToken", "The access token is invalid.", "Authentication"),
    (429, "TooManyRequests", "throttled", "Throttled"),
    (429, "OperationNotAllowed", "throttled", "Throttled"),
    (500, "InternalServerError", "tracking activity id", "Unavailable"),
    (404, "NeverSeen", "?", "GroupMissing"),
    (403, "NeverSeen", "?", "AccessDenied"),
    (418, "NeverSeen", "?", "Azure"),
    (599, "NeverSeen", "?", "Unavailable"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "code", "message", "name"), RECORDED)
def test_recorded_answers(status: int, code: str, message: str, name: str) -> None:
    error = error_for(fault_of(arm(status, code, message)), "do it", "host")
    assert type(error) is getattr(errors, f"{name}Error")
    assert isinstance(error, errors.AzureError)
    assert (error.code, error.http_status, error.request_id) == (code, status, "westeurope:1")
    line = str(error)
    assert "\n" not in line
    assert code in line
    assert message.rstrip(".") in line


def test_every_409_looks_the_same_to_the_sdk_and_not_to_us() -> None:
    kinds = set()
    for code in ("ContainerGroupTransitioning", "MissingSubscriptionRegistration", "ServiceUnavailable", "Other"):
        response = Response(409, {"error": {"code": code, "message": "m"}})
        with pytest.raises(HttpResponseError) as caught:
            map_error(409, response, {409: HttpResponseError})
        kinds.add(type(error_for(fault_of(caught.value), "do it", "host")))
    assert len(kinds) == 4


def test_a_stopped_group_refuses_the_verb() -> None:
    error = error_for(fault_of(arm(409, "ContainerGroupStopped", "stopped")), "open it", "host")
    assert isinstance(error, errors.RefusedError)
    assert "devpod up" in str(error)


def test_forbidden_says_what_and_where() -> None:
    said = (
        "The client 'x' with object id 'y' does not have authorization to perform action "
        "'Microsoft.ContainerInstance/containerGroups/write' over scope '/subscriptions/s' or the scope is invalid."
    )
    line = str(error_for(fault_of(arm(403, "AuthorizationFailed", said)), "create it", "host"))
    assert "may not perform Microsoft.ContainerInstance/containerGroups/write" in line
    assert "on /subscriptions/s." in line


def test_details_are_part_of_the_message() -> None:
    body = {"error": {"code": "X", "message": "outer.", "details": [{"message": "inner"}, {"message": "outer."}, 3]}}
    assert fault_of(HttpResponseError(response=Response(400, body))).message == "outer. inner"


def test_secrets_azure_quotes_are_masked() -> None:
    secret = Secret("pa55word")
    fault = fault_of(arm(400, "InvalidRequestContent", "cannot read 'pa55word' as JSON " + "x" * 5000))
    line = str(error_for(fault, "create it", "host", (secret,)))
    assert "pa55word" not in line
    assert len(line) < 1000


REQUEST = requests.Request("GET", "https://management.azure.com/x?sig=s").prepare()


def wrap(inner: Exception) -> ServiceRequestError:
    outer = requests.exceptions.ConnectionError(MaxRetryError(None, "/x", inner), request=REQUEST)
    return ServiceRequestError(outer, error=outer)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (wrap(NameResolutionError("h", None, OSError("Name or service not known"))), Kind.UNREACHED, "resolved"),
        (wrap(NewConnectionError(None, "Connection refused")), Kind.UNREACHED, "connection refused"),
        (wrap(ssl.SSLCertVerificationError("self-signed")), Kind.UNTRUSTED, "REQUESTS_CA_BUNDLE"),
        (ServiceResponseTimeoutError("Read timed out."), Kind.LOST, "timed out"),
        (
            ServiceResponseError(
                "x", error=requests.exceptions.ConnectionError(ProtocolError("Connection reset by peer"))
            ),
            Kind.LOST,
            "did not answer",
        ),
    ],
)
def test_network_failures(error: Exception, kind: Kind, words: str) -> None:
    fault = fault_of(error)
    assert fault.kind is kind
    told = error_for(fault, "read it", "management.azure.com")
    assert isinstance(told, errors.UnavailableError)
    assert "management.azure.com" in str(told)
    assert words in str(told)
    assert "sig=s" not in str(told)
    assert "\n" not in str(told)


NESTED = [
    ({"error": {"code": "Conflict", "details": [{"code": "ContainerGroupStopped", "message": "No."}]}}, "Refused"),
    ({"error": {"code": "BadRequest", "innererror": {"code": "QuotaExceeded", "message": "Full."}}}, "Quota"),
    ({"error": {"code": "DeploymentFailed", "details": [{"details": [{"code": "InaccessibleImage"}]}]}}, "Image"),
    ({"Code": "InaccessibleImage", "Message": "not there"}, "Image"),
    ({"error": {"code": "InaccessibleImage", "details": [{"code": "QuotaExceeded"}]}}, "Image"),
    ({"error": {"code": "AnotherOperationInProgress", "message": "Wait."}}, "Transitioning"),
    ({"error": {"code": "X", "message": "The container group 'g' is stopped."}}, "Refused"),
    ("<html>conflict</html>", "Azure"),
    ("", "Azure"),
]


@pytest.mark.parametrize(("body", "kind"), NESTED)
def test_an_error_in_another_shape(body: Any, kind: str) -> None:
    error = error_for(fault_of(HttpResponseError(response=Response(409, body))), "do it", "host")
    assert type(error).__name__ == f"{kind}Error"
