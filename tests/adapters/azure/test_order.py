"""The request's body: only fields the service knows, secrets only where they stay secret, bad names refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from adapters.azure import EmptyDir, GroupOrder, RegistryLogin
from adapters.azure.labels import VARIABLE
from adapters.azure.order import REQUEST_TAG, body
from statemachine.errors import NameRefusedError, OptionError
from statemachine.events import GroupRef
from statemachine.secret import Secret

REF = GroupRef("sub", "rg", "ws", "dev")
IDENTITY = "/subscriptions/s/resourceGroups/r/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"

Order = Callable[..., GroupOrder]

FULL: dict[str, Any] = {
    "secure_environment": {"S": Secret("hush")},
    "facts": {"ports": (8080, 9090), "dns_label": "my-label"},
    "tags": {"k": "v"},
    "volumes": (EmptyDir(name="scratch", mount_path="/scratch"),),
    "registry": RegistryLogin(server="r.example", username="u", password=Secret("pw")),
    "identity_id": IDENTITY,
    "labels": b"{}",
}


def test_every_field_is_one_the_sdk_knows(order: Order) -> None:
    from azure.mgmt.containerinstance.models import ContainerGroup

    for changes in (FULL, {}):
        wanted = body(order(REF, **changes), request="r")
        model = ContainerGroup.deserialize(json.loads(json.dumps(wanted)))
        again = model.serialize(keep_readonly=True)
        assert _without_empty(again) == _without_empty(wanted)


def _without_empty(value: Any) -> Any:
    """The SDK leaves empty objects out or in as it likes."""
    if isinstance(value, dict):
        return {name: _without_empty(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def test_secrets_are_secure_values(order: Order) -> None:
    container = body(order(REF, **FULL), request="r")["properties"]["containers"][0]["properties"]
    variables = {item["name"]: item for item in container["environmentVariables"]}
    assert variables["S"] == {"name": "S", "secureValue": "hush"}
    assert VARIABLE in variables
    assert "hush" not in repr(order(REF, **FULL))


def test_the_minimum(order: Order) -> None:
    group = body(order(REF, command=()), request="r")
    assert "ipAddress" not in group["properties"]
    assert "identity" not in group
    assert group["tags"] == {REQUEST_TAG: "r"}
    container = group["properties"]["containers"][0]["properties"]
    assert "command" not in container
    assert container["resources"] == {"requests": {"cpu": 1.0, "memoryInGB": 1.5}}


def test_an_identity_that_pulls_is_assigned_to_the_group(order: Order) -> None:
    group = body(order(REF, registry=RegistryLogin(server="r.azurecr.io", identity=IDENTITY)), request="r")
    assert group["properties"]["imageRegistryCredentials"] == [{"server": "r.azurecr.io", "identity": IDENTITY}]
    assert group["identity"] == {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}


def test_labels_that_do_not_fit_stay_at_home(order: Order) -> None:
    container = body(order(REF, labels=b"{}", secure_environment={"A": Secret("x" * 31_000)}), request="r")
    names = [item["name"] for item in container["properties"]["containers"][0]["properties"]["environmentVariables"]]
    assert names == ["A"]


@pytest.mark.parametrize(
    "ref",
    [
        GroupRef("s", "rg", name, container)
        for name, container in [
            ("Upper", "dev"),
            ("-x", "dev"),
            ("x-", "dev"),
            ("a--b", "dev"),
            ("a" * 64, "dev"),
            ("", "dev"),
            ("ws", "under_score"),
        ]
    ]
    + [GroupRef("s", rg, "ws", "dev") for rg in ("", "ends.", "a" * 91, "sl/ash")],
    ids=str,
)
def test_names_azure_refuses(order: Order, ref: GroupRef) -> None:
    with pytest.raises(NameRefusedError):
        body(order(ref), request="r")


@pytest.mark.parametrize("label", ["abcd", "1abcd", "Abcde", "abcd-", "a" * 64])
def test_dns_labels_azure_refuses(order: Order, label: str) -> None:
    with pytest.raises(NameRefusedError, match="DNS label"):
        body(order(REF, facts={"dns_label": label, "ports": (80,)}), request="r")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"facts": {"dns_label": "label"}}, "at least one open port"),
        ({"tags": {"k": "v" * 257}}, "256"),
        ({"tags": {f"k{n}": "v" for n in range(50)}}, "room for 49"),
        ({"volumes": (EmptyDir(name="scratch", mount_path="a:b"),)}, "cannot mount"),
        ({"facts": {"image": ""}}, "no image"),
        ({"facts": {"location": ""}}, "no region"),
        ({"facts": {"cpu": 0.0}}, "more than zero"),
    ],
)
def test_what_azure_would_refuse(order: Order, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        body(order(REF, **changes), request="r")
