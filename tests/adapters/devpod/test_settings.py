"""Options: what is accepted, what is refused and with which words."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.devpod import Settings, parse, resolved
from adapters.devpod import values as v
from adapters.devpod.option import Mode
from adapters.devpod.options import BY_NAME, GROUPS, TABLE
from statemachine.errors import OptionError, ProviderError, UnsupportedError
from statemachine.secret import MASK, Secret

GUID = "01234567-89ab-cdef-0123-456789abcdef"
BASE = {"AZURE_SUBSCRIPTION_ID": GUID}
IDENTITY = f"/subscriptions/{GUID}/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/puller"
PREDECESSOR = {
    "AZURE_SUBSCRIPTION_ID",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_RESOURCE_GROUP",
    "AZURE_REGION",
    "ACI_CPU_CORES",
    "ACI_MEMORY_GB",
    "ACI_GPU_COUNT",
    "ACI_RESTART_POLICY",
    "ACI_VNET_NAME",
    "ACI_SUBNET_NAME",
    "ACI_DNS_LABEL",
    "ACR_SERVER",
    "ACR_AUTH_MODE",
    "USER_ASSIGNED_IDENTITY_RESOURCE_ID",
    "ACR_USERNAME",
    "ACR_PASSWORD",
    "KEYVAULT_URI",
    "ACR_USERNAME_SECRET_NAME",
    "ACR_PASSWORD_SECRET_NAME",
    "ACI_STORAGE_ACCOUNT_NAME",
    "ACI_STORAGE_ACCOUNT_KEY",
    "ACI_FILE_SHARE_NAME",
    "AGENT_PATH",
    "INACTIVITY_TIMEOUT",
    "INJECT_GIT_CREDENTIALS",
    "INJECT_DOCKER_CREDENTIALS",
    "WORKSPACE_IMAGE",
}


def settings(mode: Mode | None = "devcontainer", /, **options: str) -> Settings:
    return parse({**BASE, **options}, mode)


def test_defaults() -> None:
    found = settings()
    assert (found.cpu, found.memory_gb, found.restart_policy) == (2.0, 4.0, "Never")
    assert (found.resource_group, found.region) == ("devpod-aci-rg", "eastus")
    assert found.credentials.mode == "auto"
    assert not found.credentials.client_secret
    assert found.registry is None
    assert found.ports == ()
    assert found.inactivity_timeout == 0
    assert found.tunnel_idle == 600
    assert found.tunnel_resume == 300
    assert found.tunnel_compression is True
    assert found.resource_manager_url == "https://management.azure.com"
    assert found.authority_host == "https://login.microsoftonline.com"


def test_machine_defaults() -> None:
    found = settings("machine")
    assert found.inactivity_timeout == 1800
    assert found.image == "mcr.microsoft.com/devcontainers/base:ubuntu"
    assert found.agent_path == "/usr/local/bin/devpod"


def test_every_default_passes_its_own_check() -> None:
    for mode in ("devcontainer", "machine"):
        given_all = {option.name: option.default_in(mode) for option in TABLE if mode in option.modes}
        parse({**given_all, **BASE}, mode)


def test_an_empty_variable_is_unset() -> None:
    assert parse({**dict.fromkeys(BY_NAME, ""), **BASE}, "machine") == parse(BASE, "machine")


def test_the_predecessors_names_are_all_there() -> None:
    assert set(BY_NAME) >= PREDECESSOR


ACCEPTED = {
    "AZURE_TENANT_ID": (GUID.upper(), "contoso.onmicrosoft.com"),
    "AZURE_RESOURCE_GROUP": ("a", "Groß-Gruppe_(1).x", "r" * 90),
    "AZURE_REGION": ("westeurope", "eastus2"),
    "ACI_CPU_CORES": ("0.01", "0.5", "31", "4"),
    "ACI_MEMORY_GB": ("0.1", "1.5", "240"),
    "ACI_RESTART_POLICY": ("Never", "OnFailure", "Always"),
    "ACI_PORTS": ("80", "21,23,8080,3000,65", "21,23,1024,49151,65535"),
    "ACI_GPU_COUNT": ("0",),
    "USER_ASSIGNED_IDENTITY_RESOURCE_ID": (IDENTITY, IDENTITY.replace("resourceGroups", "resourcegroups")),
    "INJECT_GIT_CREDENTIALS": ("true", "false"),
    "ACI_OPERATION_TIMEOUT": ("1s", "1h30m", "90s", "1.5h", "1500ms"),
    "ACI_TUNNEL_IDLE": ("0", "0s", "10m"),
    "ACI_TUNNEL_RESUME": ("1s", "5m", "24h"),
    "ACI_TUNNEL_COMPRESSION": ("true", "false"),
    "ACI_EVENT_LOG": ("/var/log/aci.jsonl", "C:\\logs\\aci.jsonl"),
    "ACI_EVENT_LOG_SEGMENT": ("1", "64", "4096"),
    "AZURE_AUTHORITY_HOST": ("login.microsoftonline.us", "https://localhost:8443/"),
    "AZURE_RESOURCE_MANAGER_URL": ("https://management.usgovcloudapi.net", "https://127.0.0.1:8443"),
}

REFUSED = {
    "AZURE_SUBSCRIPTION_ID": ("x", GUID[:-1], f"{GUID}\n", f"{{{GUID}}}"),
    "AZURE_TENANT_ID": ("tenant", "http://x.y"),
    "AZURE_CLIENT_ID": ("me",),
    "AZURE_RESOURCE_GROUP": ("a.", "r" * 91, "a b", "a/b", "a\n", "snow☃"),
    "AZURE_REGION": ("West Europe", "WestEurope", "eu", "eastus\n"),
    "ACI_CPU_CORES": ("0", "0.001", "33", "-1", "two", "1e1", "1,5", ".5", "٣", "nan", " 1"),
    "ACI_MEMORY_GB": ("0", "0.05", "257", "4GB", "1.25"),
    "ACI_RESTART_POLICY": ("never", "OnSuccess"),
    "ACI_PORTS": (
        "22",
        "0",
        "65536",
        "80,80",
        "1,2,3,4,5,6",
        "80;81",
        "80, 81",
        "19390",
        "20000",
        "30000",
        "49152",
        "65534",
    ),
    "ACI_DNS_LABEL": ("abcd", "1abcd", "Abcde", "abcde-", "a" * 64, "abc_de"),
    "ACI_GPU_COUNT": ("-1", "a"),
    "ACR_SERVER": ("https://x.azurecr.io", "x.azurecr.io/y", "-x.azurecr.io"),
    "ACR_AUTH_MODE": ("managed",),
    "USER_ASSIGNED_IDENTITY_RESOURCE_ID": ("puller", IDENTITY + "/x", IDENTITY[1:]),
    "ACR_USERNAME": ("a:b",),
    "KEYVAULT_URI": ("http://v.vault.azure.net", "v"),
    "ACI_STORAGE_ACCOUNT_NAME": ("ab", "Abc", "a" * 25),
    "ACI_STORAGE_ACCOUNT_KEY": ("c2VjcmV0",),
    "ACI_FILE_SHARE_NAME": ("ab", "a--b", "-abc", "A-b-c", "a" * 64),
    "INJECT_GIT_CREDENTIALS": ("TRUE", "1", "yes"),
    "ACI_OPERATION_TIMEOUT": ("0", "10", "10 m", "-1m", "m", "1d", "500ms"),
    "ACI_TUNNEL_IDLE": ("ten", "-1s"),
    "ACI_TUNNEL_RESUME": ("0", "999ms", "25h", "forever"),
    "ACI_TUNNEL_COMPRESSION": ("no", "0"),
    "INACTIVITY_TIMEOUT": ("30", "59s"),
    "ACI_EVENT_LOG": ("a\nb",),
    "ACI_EVENT_LOG_SEGMENT": ("0", "4097", "64MiB", "1.5", "-1"),
    "AZURE_AUTH_MODE": ("browser",),
    "AZURE_AUTHORITY_HOST": ("http://login.microsoftonline.com", "https://x/y"),
    "AZURE_RESOURCE_MANAGER_URL": ("http://localhost", "management.azure.com", "https://x?y"),
}
MACHINE_REFUSED = {
    "WORKSPACE_IMAGE": ("Ubuntu", "ubuntu:", "a b", "ubuntu@sha256:1", "x" * 513, "http://x/y"),
    "AGENT_PATH": ("devpod", "/usr/bin/", "/it's", "/a\nb"),
}
IMAGES = (
    "ubuntu",
    "mcr.microsoft.com/devcontainers/base:ubuntu",
    "localhost:5000/a__b/c-d:V1.0_x",
    f"ghcr.io/loft-sh/dockerless@sha256:{'0' * 64}",
    f"r.example/a:tag@sha256:{'a' * 64}",
)


def cases(table: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(name, text) for name, texts in table.items() for text in texts]


@pytest.mark.parametrize(("name", "text"), cases(ACCEPTED))
def test_accepted(name: str, text: str) -> None:
    settings(**{name: text})


@pytest.mark.parametrize("image", IMAGES)
def test_images(image: str) -> None:
    assert settings("machine", WORKSPACE_IMAGE=image).image == image


@pytest.mark.parametrize(("name", "text"), cases(REFUSED))
def test_refused(name: str, text: str) -> None:
    with pytest.raises(OptionError) as caught:
        settings(**{name: text})
    assert caught.value.option == name
    line = str(caught.value)
    assert "\n" not in line
    option = BY_NAME[name]
    assert (option.expected or option.enum[0]) in line
    if option.password:
        assert text not in line


@pytest.mark.parametrize(("name", "text"), cases(MACHINE_REFUSED))
def test_refused_in_machine_mode(name: str, text: str) -> None:
    with pytest.raises(OptionError, match=name):
        settings("machine", **{name: text})


NOT_YET = {
    "ACI_GPU_COUNT": "2",
    "ACI_VNET_NAME": "net",
    "ACI_SUBNET_NAME": "sub",
    "ACR_AUTH_MODE": "KeyVault",
    "KEYVAULT_URI": "https://myvault.vault.azure.net/",
    "ACR_USERNAME_SECRET_NAME": "user",
    "ACR_PASSWORD_SECRET_NAME": "word",
    "ACI_STORAGE_ACCOUNT_NAME": "store",
    "ACI_STORAGE_ACCOUNT_KEY": "a" * 86 + "==",
    "ACI_FILE_SHARE_NAME": "work-space",
}


@pytest.mark.parametrize(("name", "text"), NOT_YET.items())
def test_what_has_no_effect_yet_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(UnsupportedError, match=name) as caught:
        settings(**{name: text})
    if BY_NAME[name].password:
        assert text not in str(caught.value)


def test_every_refusal_is_covered() -> None:
    assert {option.name for option in TABLE if option.refusal} <= set(NOT_YET)
    assert all(bool(option.refusal) != bool(option.since) for option in TABLE)


def test_the_gpu_refusal_names_the_reason() -> None:
    with pytest.raises(UnsupportedError, match=r"retired .* 2025-07-14"):
        settings(ACI_GPU_COUNT="1")


def test_required() -> None:
    with pytest.raises(OptionError, match="AZURE_SUBSCRIPTION_ID: is required"):
        parse({}, None)


@pytest.mark.parametrize("name", ["WORKSPACE_IMAGE", "AGENT_PATH"])
def test_machine_options_are_refused_in_devcontainer_mode(name: str) -> None:
    value = BY_NAME[name].default
    with pytest.raises(OptionError, match=f"{name}: has no effect in devcontainer mode"):
        settings("devcontainer", **{name: value})
    settings(None, **{name: value})


PRINCIPAL = {"AZURE_TENANT_ID": GUID, "AZURE_CLIENT_ID": GUID, "AZURE_CLIENT_SECRET": "s3cret~"}


def test_a_whole_service_principal() -> None:
    found = settings(**PRINCIPAL).credentials
    assert (found.tenant, found.client_id) == (GUID, GUID)
    assert found.client_secret == Secret("s3cret~")
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize("mode", ["auto", "service-principal"])
@pytest.mark.parametrize("missing", PRINCIPAL)
def test_half_a_service_principal(mode: str, missing: str) -> None:
    half = {name: value for name, value in PRINCIPAL.items() if name != missing}
    with pytest.raises(OptionError, match=f"{missing}: is missing"):
        settings(AZURE_AUTH_MODE=mode, **half)


def test_a_tenant_alone_is_fine() -> None:
    assert settings(AZURE_TENANT_ID=GUID).credentials.tenant == GUID


def test_other_ways_to_sign_in_leave_the_service_principal_alone() -> None:
    assert settings(AZURE_AUTH_MODE="cli", AZURE_CLIENT_ID=GUID).credentials.mode == "cli"
    found = settings(AZURE_AUTH_MODE="managed-identity", AZURE_IDENTITY_CLIENT_ID=GUID).credentials
    assert found.identity_client_id == GUID


def test_registry_by_identity() -> None:
    found = settings(ACR_SERVER="my.azurecr.io", USER_ASSIGNED_IDENTITY_RESOURCE_ID=IDENTITY)
    assert found.registry is not None
    assert (found.registry.server, found.registry.identity) == ("my.azurecr.io", IDENTITY)
    assert found.identity == IDENTITY


def test_registry_by_password() -> None:
    options = {"ACR_SERVER": "r.example", "ACR_AUTH_MODE": "UsernamePassword", "ACR_USERNAME": "me"}
    found = settings(**options, ACR_PASSWORD="hush").registry
    assert found is not None
    assert (found.username, found.password, found.identity) == ("me", Secret("hush"), "")
    with pytest.raises(OptionError, match="ACR_PASSWORD: is missing"):
        settings(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ACR_USERNAME": "me"}, "ACR_SERVER: is missing"),
        ({"ACR_PASSWORD": "hush"}, "ACR_SERVER: is missing"),
        ({"ACR_AUTH_MODE": "UsernamePassword"}, "ACR_SERVER: is missing: ACR_AUTH_MODE has no effect"),
        (
            {"ACR_SERVER": "my.azurecr.io", "USER_ASSIGNED_IDENTITY_RESOURCE_ID": IDENTITY, "ACR_PASSWORD": "hush"},
            "ACR_PASSWORD: has no effect while ACR_AUTH_MODE is ManagedIdentity",
        ),
        ({"ACR_SERVER": "my.azurecr.io"}, "USER_ASSIGNED_IDENTITY_RESOURCE_ID: is missing"),
        ({"ACR_SERVER": "docker.io", "USER_ASSIGNED_IDENTITY_RESOURCE_ID": IDENTITY}, "no Azure Container Registry"),
        ({"ACI_DNS_LABEL": "my-label"}, "ACI_PORTS: is needed for ACI_DNS_LABEL"),
        ({"INACTIVITY_TIMEOUT": "30m", "ACI_RESTART_POLICY": "Always"}, "no effect with ACI_RESTART_POLICY Always"),
    ],
)
def test_options_that_need_each_other(options: dict[str, str], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        settings(**options)


def test_inactivity_in_machine_mode() -> None:
    with pytest.raises(OptionError, match="use 8760h for never"):
        settings("machine", INACTIVITY_TIMEOUT="0")
    with pytest.raises(OptionError, match="INACTIVITY_TIMEOUT: 30m has no effect"):
        settings("machine", ACI_RESTART_POLICY="Always")
    assert settings("devcontainer", ACI_RESTART_POLICY="Always").inactivity_timeout == 0


def test_endpoints_are_normalised() -> None:
    found = settings(AZURE_AUTHORITY_HOST="login.microsoftonline.us", AZURE_RESOURCE_MANAGER_URL="https://h:1/")
    assert (found.authority_host, found.resource_manager_url) == ("https://login.microsoftonline.us", "https://h:1")


def test_settings_print_no_secret() -> None:
    assert "hush" not in repr(
        settings(ACR_SERVER="r.example", ACR_AUTH_MODE="UsernamePassword", ACR_USERNAME="me", ACR_PASSWORD="hush")
    )


@given(st.sampled_from(sorted(BY_NAME)), st.text(min_size=1, max_size=40))
def test_any_text_is_accepted_or_refused_in_one_line(name: str, text: str) -> None:
    said = ""
    try:
        settings(None, **{name: text})
    except ProviderError as error:
        said = str(error)
    assert "\n" not in said
    if BY_NAME[name].password and len(text) > 9:
        assert text not in said
    rows = {row.name: row for row in resolved({name: text}, None)}
    assert rows[name].origin == "environment"


def test_resolved() -> None:
    environ = {
        **BASE,
        "ACI_CPU_CORES": "x",
        "AZURE_CLIENT_SECRET": "s3cret~",
        "AGENT_PATH": "/x/y",
        "ACI_VNET_NAME": "v",
    }
    rows = {row.name: row for row in resolved(environ, "devcontainer")}
    assert [row.name for row in resolved(environ, None)] == [option.name for option in TABLE]
    assert rows["AZURE_SUBSCRIPTION_ID"].origin == "environment"
    assert (rows["AZURE_REGION"].value, rows["AZURE_REGION"].origin) == ("eastus", "default")
    assert (rows["ACI_PORTS"].value, rows["ACI_PORTS"].origin) == ("", "unset")
    assert rows["AZURE_CLIENT_SECRET"].value == MASK
    assert rows["ACR_PASSWORD"].value == ""
    assert "expected" in rows["ACI_CPU_CORES"].note
    assert "no effect" in rows["AGENT_PATH"].note
    assert "does not do that yet" in rows["ACI_VNET_NAME"].note
    assert rows["ACI_MEMORY_GB"].note == ""
    assert "s3cret" not in repr(rows)
    rows = {row.name: row for row in resolved({**BASE, "INACTIVITY_TIMEOUT": "0"}, "machine")}
    assert "DevPod ends a machine at once" in rows["INACTIVITY_TIMEOUT"].note
    assert {name for name, row in rows.items() if row.note} == {"INACTIVITY_TIMEOUT"}
    assert {row["AZURE_SUBSCRIPTION_ID"].note for row in [{r.name: r for r in resolved({}, None)}]} != {""}


def test_groups_hold_every_option() -> None:
    assert {option.group for option in TABLE} == {name for name, _ in GROUPS}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("10m", 600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("2us", 2e-6),
        ("2µs", 2e-6),
        ("1h1ms", 3600.001),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert v.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "1", "h", "1 h", "-1h", "1d", "1.2.3s", "1h ", "1H", "\u0661s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        v.duration(text)


def test_patterns_stay_within_what_go_understands() -> None:
    for option in TABLE:
        re.compile(option.pattern)
        assert not re.search(r"\(\?[=!<>#P]|\\[1-9AZzpPwWdDsSbB]|[*+?}]\+|\{\d*,?(\d{4,})\}", option.pattern), (
            option.name
        )


def test_a_machine_that_never_idles_may_be_restarted_always() -> None:
    environ = {"AZURE_SUBSCRIPTION_ID": GUID, "ACI_RESTART_POLICY": "Always", "INACTIVITY_TIMEOUT": "8760h"}
    assert parse(environ, "machine").restart_policy == "Always"
    with pytest.raises(OptionError, match="INACTIVITY_TIMEOUT"):
        parse(environ | {"INACTIVITY_TIMEOUT": "30m"}, "machine")
