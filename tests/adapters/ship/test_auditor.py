"""An auditor's day: public keys in hand, a container that three people shipped to, and only the command line.

Who started and stopped what, when, from where, as which Azure identity, why it failed, what it cost; and which of
the logs is not what its owner signed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from adapters.cli.main import run
from eventlog.lines import layout
from statemachine import events as e
from tests.adapters.ship import azurite
from tests.eventlog.audit.story import ADA, BOB, CI, MONDAY, OWNER, Story, refused

PEOPLE = {"ada": ADA, "bob": BOB, "ci": CI}
Auditor = Callable[..., tuple[int, list[dict[str, Any]], str]]

PRICES = {
    "Items": [
        {
            "currencyCode": "EUR",
            "retailPrice": price,
            "unitOfMeasure": unit,
            "armRegionName": "westeurope",
            "meterName": meter,
            "serviceName": "Container Instances",
            "skuName": "Standard",
            "type": "Consumption",
            "effectiveStartDate": "2026-01-01T00:00:00Z",
        }
        for meter, price, unit in (
            ("Standard vCPU Duration", 0.036, "1 Hour"),
            ("Standard Memory Duration", 0.0036, "1 GB Hour"),
        )
    ]
}
"""0.00001 EUR a vCPU second, 0.000001 EUR a GB second."""


def lived(person: str, path: Path) -> None:
    """What each of them did on Monday."""
    story = Story(path, MONDAY + timedelta(hours=9)).call(PEOPLE[person])
    match person:
        case "ada":
            story.creates("shop", 40, location="westeurope", cpu=2.0, memory_gb=4.0).wait(hours=2).call(ADA).stops(
                "shop", 5
            )
        case "bob":
            failure = refused(
                "ContainerGroupQuotaReached",
                "container group quota 'StandardCores' exceeded in region 'westeurope'. Limit: '10', Usage: '8'"
                " Requested: '4'.",
                error="QuotaError",
                number=9,
            )
            story.fails_to_create("shop", failure, location="westeurope", cpu=4.0, memory_gb=16.0)
            story.wait(hours=14, minutes=59, seconds=57).call(BOB)
            story.creates("shop", 0, location="westeurope", cpu=4.0, memory_gb=16.0).wait(minutes=30)
            story.call(BOB).deletes("shop", 0)
        case _:
            story.creates("nightly", 20, location="westeurope", cpu=1.0, memory_gb=1.0).wait(minutes=10)
            story.says("nightly", e.Exited(exit_code=137, detail="Terminated: Error"))


@pytest.fixture
def keys(tmp_path: Path, container: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """Each seals, gives out a public key, and ships; the folder of the keys is all that the auditor gets."""
    monkeypatch.setenv("AZURE_STORAGE_KEY", azurite.KEY)
    folder = tmp_path / "keys"
    folder.mkdir()
    for person in PEOPLE:
        log = tmp_path / person / "events.jsonl"
        monkeypatch.setenv("ACI_EVENT_LOG", str(log))
        lived(person, log)
        assert run(["audit", "seal"]) == 0
        assert run(["audit", "key", "-o", str(folder / f"{person}.pub")]) == 0
        assert run(["audit", "ship", "--blob", container]) == 0
    (folder / "prices.json").write_text(json.dumps(PRICES))
    monkeypatch.setenv("ACI_EVENT_LOG", str(tmp_path / "auditor" / "events.jsonl"))
    capsys.readouterr()
    return folder


@pytest.fixture
def auditor(container: str, keys: Path, capsys: pytest.CaptureFixture[str]) -> Auditor:
    """Asks one question of the container."""

    def ask(*words: str) -> tuple[int, list[dict[str, Any]], str]:
        status = run([*words, "--from", container, "--json"])
        out, err = capsys.readouterr()
        return status, [json.loads(line) for line in out.splitlines()], err

    return ask


def vouched(auditor: Auditor, keys: Path) -> tuple[int, list[dict[str, Any]], str]:
    given = [part for person in PEOPLE for part in ("--public-key", str(keys / f"{person}.pub"))]
    return auditor("audit", "writers", *given)


def test_whose_logs_they_are_and_that_nobody_changed_them(auditor: Auditor, keys: Path) -> None:
    status, found, err = vouched(auditor, keys)
    assert (status, err) == (0, "")
    assert [(one["writer"].rpartition(".")[0], one["events"], one["chain"], one["sealed"]) for one in found] == [
        ("desk.bob", 7, "whole", 6),
        ("laptop.ada", 5, "whole", 4),
        ("runner-7.ci", 4, "whole", 3),
    ]
    assert len({one["keys"] for one in found}) == 3


def test_who_started_and_stopped_what_when_from_where_as_whom(auditor: Auditor) -> None:
    status, found, _ = auditor("audit", "who", "ada/shop")
    assert status == 0
    ada = {"user": "ada", "host": "laptop", "azure": "ada@contoso.example"}
    assert [{k: v for k, v in one.items() if k != "writer"} for one in found] == [
        {
            "workspace": "shop",
            "began": "2026-11-16T09:00:00Z",
            "by": {"how": "create", **ada},
            "until": "2026-11-16T11:00:45Z",
            "ended": {"how": "stop", **ada},
        }
    ]
    assert auditor("audit", "who", "nightly")[1][0]["ended"] == {
        "how": "exited",
        "note": "exit status 137, Terminated: Error",
    }


def test_why_it_failed(auditor: Auditor) -> None:
    status, (found,), _ = auditor("explain", "shop", "--writer", "*.bob")
    assert status == 0
    assert (found["code"], found["http_status"], found["request_id"]) == (
        "ContainerGroupQuotaReached",
        400,
        "eastus:req-9",
    )
    assert "bob@desk (bob@contoso.example) asked to create workspace shop" in found["happened"]
    assert "quota of cores" in found["cause"]
    assert found["mended"]
    failed = auditor("audit", "--outcome", "failed")[1]
    assert [(one["user"], one["verb"], one["code"]) for one in failed] == [
        ("bob", "create", "ContainerGroupQuotaReached")
    ]


def test_what_it_cost(auditor: Auditor, keys: Path) -> None:
    prices = ("--prices", str(keys / "prices.json"))
    _, found, err = auditor("audit", "cost", "--by", "workspace,day", *prices)
    assert "as of 2026-01-01" in err
    assert "example" not in err

    def euros(seconds: int, cpu: int, memory: int) -> float:
        return float(seconds * (cpu * Decimal("0.00001") + memory * Decimal("0.000001")))

    got = {(one["writer"].split(".")[1], one["day"]): (one["seconds"], one["amount"]) for one in found}
    assert got == {
        # Two hours, forty seconds to come up and five to stop.
        ("ada", "2026-11-16"): (7245, pytest.approx(euros(7245, 2, 4))),
        # Half an hour from midnight on; what Azure refused cost nothing.
        ("bob", "2026-11-17"): (1800, pytest.approx(euros(1800, 4, 16))),
        # It exited unseen some time in ten minutes.
        ("ci", "2026-11-16"): (620, pytest.approx(euros(620, 1, 1))),
    }
    doubt = {
        one["actor"]: one.get("doubtful_seconds", 0) for one in auditor("audit", "cost", "--by", "actor", *prices)[1]
    }
    assert doubt == {"ada@contoso.example": 0, "bob@contoso.example": 0, "app:1f6c": 600}


def test_any_other_question_is_sql(auditor: Auditor) -> None:
    question = """SELECT writer, actor.azure AS identity, count(*) FILTER (type LIKE '%Failed') AS failures
        FROM events WHERE workspace != 'log' GROUP BY ALL ORDER BY failures DESC, identity LIMIT 1"""
    _, (found,), _ = auditor("audit", "sql", question)
    assert (found["writer"].split(".")[1], found["identity"], found["failures"]) == ("bob", "bob@contoso.example", 1)


def test_a_page_to_file_away(container: str, keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "report.html"
    assert run(["audit", "report", "--from", container, "-o", str(page), "--prices", str(keys / "prices.json")]) == 0
    text = page.read_text("utf-8")
    assert "All 3 chains whole: 16 events" in text
    assert "shop (laptop.ada)" in text


def tampered(container: str, writer: str, change: Callable[[bytes], bytes]) -> bytes:
    """What somebody who may write to the container can do to a log; what it was before."""
    from azure.storage.blob import ContainerClient

    credential = {"account_name": azurite.ACCOUNT, "account_key": azurite.KEY}
    with ContainerClient.from_container_url(container, credential=credential) as client:
        (name,) = [found.name for found in client.list_blobs() if found.name.startswith(writer)]
        blob = client.get_blob_client(name)
        before: bytes = blob.download_blob().readall()
        blob.delete_blob()
        blob.create_append_blob()
        blob.append_block(change(before))
    return before


def anew(lines: list[bytes]) -> bytes:
    """Lines with all their hashes made anew, so that the chain is whole."""
    head, out = layout.GENESIS, []
    for seq, line in enumerate(lines, 1):
        record = json.loads(line)
        del record["hash"]
        record |= {"prev": head, "seq": seq}
        body = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()
        head = sha256(body).hexdigest()
        out.append(body[:-1] + f',"hash":"{head}"}}\n'.encode())
    return b"".join(out)


def test_a_line_that_was_edited_is_named_and_the_other_logs_still_answer(auditor: Auditor, container: str) -> None:
    tampered(
        container, "desk.bob", lambda data: data.replace(b"ContainerGroupQuotaReached", b"ContainerGroupQuotaReachee")
    )
    status, found, err = auditor("audit")
    assert (status, len(err.splitlines())) == (86, 1)
    assert "event 2 of desk.bob." in err
    assert "was changed after it was written" in err
    assert {one["user"] for one in found if one["verb"] != "seal"} == {"ada", "bob", "ci"}
    assert [one["outcome"] for one in found if one["user"] == "bob"] == ["open"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        # His failure never happened: all hashes made anew, his old checkpoint kept.
        (lambda lines: anew([line for line in lines if b"CreateFailed" not in line]), "checkpoint of other lines"),
        # The same, and the checkpoint is gone as well.
        (
            lambda lines: anew([line for line in lines if b"Failed" not in line and b"Checkpoint" not in line]),
            "no key of those given",
        ),
        # The end cut off, the checkpoint with it.
        (lambda lines: b"".join(lines[:2]), "no key of those given"),
    ],
    ids=["written anew", "without its checkpoint", "cut off"],
)
def test_a_log_that_was_written_anew_is_named_by_its_missing_signature(
    auditor: Auditor, keys: Path, container: str, change: Callable[[list[bytes]], bytes], words: str
) -> None:
    tampered(container, "desk.bob", lambda data: change(data.splitlines(keepends=True)))
    # Its chain is whole, so who has no keys learns nothing.
    assert auditor("audit", "writers")[0] == 0
    status, found, err = vouched(auditor, keys)
    assert (status, len(err.splitlines())) == (86, 1)
    assert words in err
    assert f"the key in {keys / 'bob.pub'} signed none of these logs" in err
    assert {one["writer"].split(".")[1]: one["sealed"] for one in found} == {"ada": 4, "bob": 0, "ci": 3}


def test_the_end_cut_off_behind_a_checkpoint_is_missed_by_its_key(
    auditor: Auditor,
    keys: Path,
    container: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A key given out later says more: what was sealed by then."""
    monkeypatch.setenv("ACI_EVENT_LOG", str(tmp_path / "bob" / "events.jsonl"))
    before = tampered(container, "desk.bob", lambda data: data)
    Story(tmp_path / "bob" / "events.jsonl", MONDAY + timedelta(days=2)).call(BOB).says(
        "shop", e.CreateRequested(owner=OWNER, group=e.GroupRef("1", "g", "n", "c"), facts=e.GroupFacts("i", "l", 1, 1))
    )
    assert run(["audit", "seal"]) == 0
    assert run(["audit", "key", "-o", str(keys / "bob.pub")]) == 0
    assert run(["audit", "ship", "--blob", container]) == 0
    capsys.readouterr()
    assert vouched(auditor, keys)[0] == 0
    tampered(container, "desk.bob", lambda _data: before)
    status, _, err = vouched(auditor, keys)
    assert status == 86
    assert "event 8, which had been sealed, is missing" in err


def test_without_everybodys_key_it_says_which_log_is_not_vouched_for(auditor: Auditor, keys: Path) -> None:
    ada = ("--public-key", str(keys / "ada.pub"))
    status, _, err = auditor("audit", "writers", *ada)
    assert status == 86
    assert "is signed with key" in err
    assert auditor("audit", "writers", *ada, "--writer", "ada")[0] == 0
