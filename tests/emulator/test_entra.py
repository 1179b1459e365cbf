"""Tokens: the client classes of azure-identity against the emulator's endpoints."""

from __future__ import annotations

import jwt
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential, ManagedIdentityCredential

from tests.emulator.clients import Azure
from tests.waiting import until

SCOPE = "https://management.azure.com/.default"


def credential(azure: Azure, **other: str) -> ClientSecretCredential:
    env = azure.emulator.env | other
    return ClientSecretCredential(
        env["AZURE_TENANT_ID"],
        env["AZURE_CLIENT_ID"],
        env["AZURE_CLIENT_SECRET"],
        authority=azure.emulator.url,
        disable_instance_discovery=True,
        connection_verify=azure.emulator.ca_file,
    )


def test_a_good_secret_gives_a_token_with_the_claims_of_a_service_principal(azure):
    with credential(azure) as cred:
        token = cred.get_token(SCOPE).token
    claims = jwt.decode(token, options={"verify_signature": False})
    env = azure.emulator.env
    assert claims["tid"] == env["AZURE_TENANT_ID"]
    assert claims["appid"] == env["AZURE_CLIENT_ID"]
    assert claims["oid"] == claims["sub"]
    assert claims["exp"] > claims["iat"]
    assert claims["aud"] == "https://management.azure.com"
    keys = requests.get(
        f"{azure.emulator.url}/{claims['tid']}/discovery/v2.0/keys", verify=azure.emulator.ca_file, timeout=10
    ).json()["keys"]
    assert jwt.get_unverified_header(token)["kid"] == keys[0]["kid"]


@pytest.mark.parametrize(
    ("changed", "number"),
    [
        ({"AZURE_CLIENT_SECRET": "wrong"}, "AADSTS7000215"),
        ({"AZURE_CLIENT_ID": "99999999-0000-4000-8000-000000000000"}, "AADSTS700016"),
    ],
)
def test_entra_refuses_in_its_own_words(azure, changed, number):
    with credential(azure, **changed) as cred, pytest.raises(ClientAuthenticationError, match=number):
        cred.get_token(SCOPE)


def test_a_wrong_secret_is_401_with_the_error_body_of_entra(azure):
    env = azure.emulator.env
    form = {
        "grant_type": "client_credentials",
        "client_id": env["AZURE_CLIENT_ID"],
        "client_secret": "no",
        "scope": SCOPE,
    }
    url = f"{azure.emulator.url}/{env['AZURE_TENANT_ID']}/oauth2/v2.0/token"
    answer = requests.post(url, form, verify=azure.emulator.ca_file, timeout=10)
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert answer.json()["error_codes"] == [7000215]
    assert env["AZURE_CLIENT_SECRET"] not in answer.text


@pytest.mark.parametrize(
    ("tenant", "form", "number"),
    [
        ("99999999-0000-4000-8000-000000000000", {}, 90002),
        ("", {"scope": "https://nobody.example/.default"}, 500011),
        ("", {"scope": "https://management.azure.com/user"}, 1002012),
        ("", {"grant_type": "password"}, 70003),
        ("", {"client_secret": ""}, 7000216),
    ],
)
def test_other_refusals(azure, tenant, form, number):
    env = azure.emulator.env
    given = {
        "grant_type": "client_credentials",
        "client_id": env["AZURE_CLIENT_ID"],
        "client_secret": env["AZURE_CLIENT_SECRET"],
        "scope": SCOPE,
    }
    url = f"{azure.emulator.url}/{tenant or env['AZURE_TENANT_ID']}/oauth2/v2.0/token"
    answer = requests.post(url, given | form, verify=azure.emulator.ca_file, timeout=10)
    assert answer.json()["error_codes"] == [number]


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer nonsense"])
def test_arm_wants_a_bearer_token_and_says_where_to_get_one(azure, header):
    headers = {"Authorization": header} if header else {}
    answer = requests.get(
        azure.emulator.url + azure.cg("any"),
        params={"api-version": "2023-05-01"},
        headers=headers,
        verify=azure.emulator.ca_file,
        timeout=10,
    )
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] in ("AuthenticationFailed", "InvalidAuthenticationToken")
    assert azure.emulator.env["AZURE_TENANT_ID"] in answer.headers["WWW-Authenticate"]


def test_a_token_for_another_audience_is_refused(azure):
    token = azure.credential.get_token("https://storage.azure.com/.default").token
    answer = azure.call("GET", azure.cg("any"), headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "InvalidAuthenticationToken"


def test_revoked_and_expired_tokens_are_refused(start):
    azure = start()

    def status(**headers: str) -> int:
        return azure.call("GET", azure.rg, version="2022-09-01", headers=headers).status_code

    azure.emulator.control.change("control", token_lifetime=1)
    with credential(azure) as brief:
        token = brief.get_token(SCOPE).token
    until(lambda: status(Authorization=f"Bearer {token}") == 401)
    assert status() == 200, "the other one goes on"
    azure.emulator.control.revoke_tokens()
    assert status() == 401
    azure.emulator.control.change("control", token_lifetime=3599)
    with credential(azure) as fresh:
        assert status(Authorization=f"Bearer {fresh.get_token(SCOPE).token}") == 200


def test_managed_identity_over_imds(start, monkeypatch):
    identity = {"client_id": "33333333-0000-4000-8000-000000000001", "managed": True, "name": "workspace"}
    azure = start(imds=True, principals=[{"client_id": "a", "secret": "b"}, identity])
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", azure.emulator.env["AZURE_POD_IDENTITY_AUTHORITY_HOST"])
    with ManagedIdentityCredential() as cred:
        token = cred.get_token(SCOPE).token
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["appid"] == identity["client_id"]
    answer = azure.call("GET", azure.rg, version="2022-09-01", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
