"""The audit verbs as people and programs call them; every mistake is one line and a status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.cli.audit.group import AUDIT_VERBS
from statemachine.errors import LogDamagedError, LogError, UnsupportedError
from tests.adapters.cli.audit import newer
from tests.adapters.cli.calling import Call, objects
from tests.adapters.ship.logs import chained
from tests.eventlog.audit.story import ADA, Story, week

ROOT = Path(__file__).parents[4]
pytestmark = pytest.mark.usefixtures("story")


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    """A week in this user's log."""
    log = tmp_path / "events.jsonl"
    monkeypatch.setenv("ACI_EVENT_LOG", str(log))
    return week(log)


@pytest.mark.parametrize("verb", AUDIT_VERBS)
def test_every_verb_of_the_group_explains_itself(call: Call, verb: str) -> None:
    status, out, _ = call("audit", verb, "--help")
    assert status == 0
    assert f"Usage: devpod-provider-aci audit {verb}" in out


def test_the_group_lists_its_verbs(call: Call) -> None:
    _, out, _ = call("audit", "--help")
    assert all(verb in out for verb in AUDIT_VERBS)


def test_a_table_for_people(call: Call) -> None:
    status, out, _ = call("audit")
    lines = out.splitlines()
    assert status == 0
    assert lines[0].split() == ["TIME", "(UTC)", "WORKSPACE", "WHO", "VERB", "TOOK", "OUTCOME", "DETAIL"]
    assert len(lines) == 2 + 17
    assert not any(line != line.rstrip() for line in lines)
    assert "bob@desk (bob@contoso.example)" in out


def test_history_in_a_pipe_is_not_cut(call: Call) -> None:
    status, out, _ = call("history")
    assert (status, out.split()[:2], "…" in out) == (0, ["TIME", "(UTC)"], False)
    assert max(map(len, out.splitlines())) > 160


def test_json_lines_for_programs(call: Call) -> None:
    status, out, _ = call("audit", "--workspace", "ml", "--verb", "create", "--outcome", "failed", "--json")
    (one,) = objects(out)
    assert status == 0
    assert (one["code"], one["azure"], one["request_id"]) == (
        "InaccessibleImage",
        "bob@contoso.example",
        "eastus:req-31",
    )


def test_the_newest_are_kept_and_the_rest_is_owned_up_to(call: Call) -> None:
    _, out, err = call("audit", "--limit", "2", "--json")
    assert [one["seq"] for one in objects(out)] == [30, 31]
    assert err == ""
    assert "15 older ones are left out" in call("audit", "--limit", "2")[2]


def test_another_file(call: Call, tmp_path: Path) -> None:
    other = Story(tmp_path / "other.jsonl").creates("elsewhere")
    for arguments in (
        ("audit", "--from", str(other.path), "--json"),
        ("audit", "--from", str(other.path), "cost", "--json"),
        ("audit", "cost", "--from", str(other.path), "--json"),
        ("audit", "who", "elsewhere", "--from", str(other.path), "--json"),
    ):
        _, out, _ = call(*arguments)
        assert [one["workspace"] for one in objects(out)] == ["elsewhere"]


@pytest.mark.parametrize("number", [1, 4])
def test_a_beginning_that_was_cut_off_is_named_by_every_verb(call: Call, story: Story, number: int) -> None:
    lines = story.path.read_bytes().splitlines(keepends=True)
    story.path.write_bytes(b"".join(lines[number:]))
    for verb in (
        ("history",),
        ("audit",),
        ("audit", "cost"),
        ("audit", "who", "ml"),
        ("audit", "report", "-o", str(story.path.with_name("r.html"))),
        ("replay", "ml"),
        ("verify",),
    ):
        status, _, err = call(*verb)
        assert status == 86, verb
        assert len(err.splitlines()) == 1, verb
        if verb != ("verify",):
            assert "those before it are gone, and no tombstone says that they expired" in err


def test_a_workspace_of_a_context_has_a_slash_in_its_name(tmp_path: Path, call: Call, story: Story) -> None:
    story.creates("work/shop").creates("a/b/c")
    for verb in (("audit", "who"), ("explain",), ("replay",)):
        for name in ("work/shop", "a/b/c"):
            assert call(*verb, name)[0] == 0, (verb, name)
    status, out, _ = call("replay", "--diff", "work/shop", "shop", "--json")
    assert (status, json.loads(out)["left"]) == (0, "work/shop")
    assert "did you mean work/shop?" in call("explain", "work/shopp")[2]


def test_a_link_to_the_log_is_the_log(
    call: Call, story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "elsewhere" / "events.jsonl"
    link.parent.mkdir()
    link.symlink_to(story.path)
    assert call("audit", "seal")[0] == 0
    by_name = call("audit", "key")[1]
    monkeypatch.setenv("ACI_EVENT_LOG", str(link))
    assert call("audit", "key")[1] == by_name
    assert call("audit", "export", "--redact", "-o", str(tmp_path / "out"))[0] == 0
    assert [entry.name for entry in link.parent.iterdir()] == ["events.jsonl"]


@pytest.mark.parametrize("name", ["~nosuchuser/events.jsonl", "/", "/tmp/.."])
def test_a_place_that_is_none(call: Call, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("ACI_EVENT_LOG", name)
    for verb in ("history", "verify", "audit"):
        status, out, err = call(verb)
        assert (status, out, len(err.splitlines())) == (85, "", 1)
        assert "no place for the event log" in err


def test_a_folder_that_is_not_there_any_more(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACI_EVENT_LOG", "events.jsonl")
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    status, out, err = call("history")
    assert (status, out, len(err.splitlines())) == (85, "", 1)
    assert "events.jsonl in this folder: No such file or directory" in err


@pytest.mark.parametrize(
    "verb",
    [
        ("seal",),
        ("key",),
        ("archive", "--keep-days", "0"),
        ("expire", "--keep-days", "0", "--yes", "--why", "test"),
        ("ship", "--otlp", "http://127.0.0.1:1"),
    ],
    ids=lambda verb: verb[0],
)
@pytest.mark.parametrize("named", [("--from", "OTHER"), ("--writer", "*")], ids=lambda named: named[0])
def test_what_signs_sends_or_shortens_takes_no_other_log(
    call: Call, tmp_path: Path, named: tuple[str, str], verb: tuple[str, ...]
) -> None:
    other = Story(tmp_path / "other.jsonl").creates("elsewhere")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    status, out, err = call("audit", named[0], named[1].replace("OTHER", str(other.path)), *verb)
    assert (status, out) == (2, "")
    assert f"{verb[0]} acts on your own log" in err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_another_log_that_was_changed_is_named_with_how_to_check_it(call: Call, tmp_path: Path) -> None:
    other = Story(tmp_path / "other.jsonl").creates("elsewhere").path
    assert call("verify", "--from", str(other))[0] == 0
    other.write_bytes(other.read_bytes().replace(b'"ada"', b'"eve"', 1))
    status, _, err = call("audit", "--from", str(other))
    assert status == LogDamagedError.exit_status
    assert f"`devpod-provider-aci verify --from {other}` says more" in err
    assert call("verify", "--from", str(other))[0] == LogDamagedError.exit_status
    assert call("verify")[0] == 0
    status, _, err = call("verify", "--from", str(tmp_path / "none"))
    assert (status, len(err.splitlines())) == (LogError.exit_status, 1)


def test_what_a_newer_version_wrote_is_not_called_damage(call: Call, tmp_path: Path) -> None:
    """Of a create of a newer shape nothing is known here, so what follows it makes no sense."""
    newer = tmp_path / "newer.jsonl"
    newer.write_bytes(chained([{"type": "CreateRequested", "schema": 9, "data": {}}, {"type": "Created", "data": {}}]))
    status, _, err = call("audit", "cost", "--from", str(newer))
    assert status == LogDamagedError.exit_status
    assert len(err.splitlines()) == 1
    assert "If a newer version of this program wrote to the log, install that one" in err


def test_an_empty_log_has_nothing_to_tell(call: Call, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    found, out, err = call("audit", "--from", str(empty))
    assert (found, out, len(err.splitlines())) == (0, "", 1)
    assert "nothing is recorded in" in err


def test_a_line_that_is_no_record_is_named(call: Call, story: Story) -> None:
    lines = story.path.read_bytes().splitlines(keepends=True)
    lines[4] = b'{"gigantic"' + lines[4][11:]
    story.path.write_bytes(b"".join(lines))
    found, _, err = call("audit")
    assert found == LogDamagedError.exit_status
    assert "line 5" in err
    assert len(err.splitlines()) == 1


def test_who(call: Call) -> None:
    status, out, _ = call("audit", "who", "shop")
    assert status == 0
    assert "exited: exit status 137" in out
    assert "running" in out
    people = out[out.index("WHO") :]
    assert people.splitlines()[2].startswith("ada@contoso.example   ada@laptop ")


def test_cost_adds_up_and_says_where_its_prices_come_from(call: Call) -> None:
    _, out, err = call("audit", "cost", "--by", "day,workspace", "--until", "2026-11-19", "--json")
    lines = objects(out)
    assert {line["workspace"] for line in lines} == {"shop", "ml", "nightly", "api"}
    assert all(isinstance(line["amount"], float) for line in lines)
    assert "example figures" in err
    assert "as of 2026-09-06" in err
    assert "Priced as eastus, for want of their own: westeurope." in err
    table = call("audit", "cost", "--until", "2026-11-19")[1]
    total = sum(line["amount"] for line in lines)
    assert f"{total:.2f}" in next(line for line in table.splitlines() if line.startswith("total"))


def test_cost_at_a_price_table_of_ones_own(call: Call, tmp_path: Path) -> None:
    item = {
        "currencyCode": "EUR",
        "serviceName": "Container Instances",
        "skuName": "Standard",
        "armRegionName": "eastus",
    }
    prices = tmp_path / "prices.json"
    meters = [("Standard vCPU Duration", 3.6, "1 Hour"), ("Standard Memory Duration", 0.36, "1 GB Hour")]
    items = [item | {"meterName": m, "retailPrice": p, "unitOfMeasure": u} for m, p, u in meters]
    # One that was announced is not what is paid today.
    items += [one | {"retailPrice": 999, "effectiveStartDate": "2199-01-01T00:00:00Z"} for one in items]
    prices.write_text(json.dumps({"Items": items}))
    _, out, err = call("audit", "cost", "-w", "ml", "--prices", str(prices), "--json")
    (line,) = objects(out)
    assert line["currency"] == "EUR"
    assert line["amount"] == pytest.approx(line["seconds"] * (4 * 0.001 + 16 * 0.0001))
    assert "example" not in err
    assert (
        "Not priced, since the table lacks them (see --region): swedencentral, westeurope."
        in call("audit", "cost", "--prices", str(prices))[1]
    )


def test_replay_shows_the_answer_and_the_end(call: Call) -> None:
    status, out, _ = call("replay", "ml", "--until", "8")
    assert status == 0
    assert "absent -> provisioning" in out
    assert "HTTP 400, request id eastus:req-31" in out
    assert "ml THEN" in out
    assert "9  CreateRequested" not in out


def test_replay_step_by_step(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from io import StringIO

    monkeypatch.setattr(sys, "stdin", StringIO("\n\nq\n"))
    _, out, err = call("replay", "ml", "--step", "--json")
    assert [one["seq"] for one in objects(out)] == [7, 8, 9]
    assert err.count("Enter: next event") == 3


def test_replay_diff_for_programs(call: Call) -> None:
    _, out, _ = call("replay", "--diff", "ml@8", "nightly@16", "--json")
    (found,) = objects(out)
    assert found["same"] == 1
    assert {one["name"] for one in found["facts"]} >= {"state", "last failure"}
    assert "shop@2026" in call("replay", "shop", "--diff", "2026-11-17", "6")[1]
    assert call("replay", "--diff", "ml", "ml@12")[1] == "ml and ml@12 are the same\n"


def test_explain_is_one_paragraph(call: Call) -> None:
    status, out, _ = call("explain", "shop")
    assert (status, len(out.splitlines())) == (0, 1)
    assert "There is nothing to do now; should it come back: Try later, choose another AZURE_REGION" in out
    assert objects(call("explain", "shop", "--json")[1])[0]["code"] == "ServiceUnavailable"


def test_what_the_log_holds_does_not_command_the_terminal(call: Call, story: Story) -> None:
    from statemachine import events as e

    story.call(ADA).says("shop", e.Exited(detail="\x1b[2J\x07[bold]x[/bold]\x9b5n"))
    for arguments in (("audit",), ("replay", "shop"), ("explain", "shop"), ("audit", "who", "shop")):
        _, out, _ = call(*arguments)
        assert "\x1b" not in out
        assert "\x07" not in out
        assert "\x9b" not in out
        assert "[bold]x[/bold]" in out


def test_the_report(call: Call, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    status, out, err = call("audit", "report", "-o", str(target))
    assert (status, err) == (0, "")
    assert "4 workspaces, 2 failures" in out
    assert target.read_text("utf-8").startswith("<!doctype html>")
    assert target.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.glob(".report*")] == []


def test_a_report_says_what_is_signed(call: Call, tmp_path: Path) -> None:
    key, target = tmp_path / "key.pub", tmp_path / "report.html"
    assert call("audit", "seal")[0] == 0
    assert call("audit", "key", "-o", str(key))[0] == 0
    assert call("audit", "report", "-o", str(target), "--public-key", str(key))[0] == 0
    assert "signed up to event 32, 1 unsigned at the end" in target.read_text("utf-8")


def test_a_report_of_a_broken_chain_says_so(call: Call, story: Story, tmp_path: Path) -> None:
    text = story.path.read_bytes()
    story.path.write_bytes(text.replace(b'"user":"bob"', b'"user":"eve"', 1))
    target = tmp_path / "report.html"
    status, out, err = call("audit", "report", "-o", str(target))
    assert status == LogDamagedError.exit_status
    assert "4 workspaces" in out
    assert "line 5: was changed" in err
    assert len(err.splitlines()) == 1
    assert "Chain broken at line 5" in target.read_text("utf-8")


def test_a_missing_package_is_one_line_with_its_remedy(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygal", None)
    for name in ("adapters.report.page", "adapters.report.charts"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    found, _, err = call("audit", "report")
    assert found == UnsupportedError.exit_status
    assert "needs the package pygal" in err
    assert "uv tool install '.[audit]'" in err


def environment(log: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(log.parent), "PYTHONPATH": str(ROOT), "ACI_EVENT_LOG": str(log)}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["history"], ["audit", "--help"], ["audit", "--json"], ["explain", "ml"]]
)
def test_nothing_heavy_is_imported_without_need(story: Story, arguments: list[str]) -> None:
    probe = (
        "import sys\nfrom adapters.cli.main import run\nrun(sys.argv[1:])\n"
        "print(sorted({'rich', 'jinja2', 'pygal', 'azure'} & set(sys.modules)), file=sys.stderr)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", probe, *arguments],
        env=environment(story.path),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stderr.splitlines()[-1] == "[]"


def test_following_shows_what_is_recorded_meanwhile(story: Story) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "adapters.cli", "audit", "--follow", "--json", "--workspace", "api", "--limit", "1"],
        env=environment(story.path) | {"PYTHONUNBUFFERED": "1"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            assert json.loads(process.stdout.readline())["verb"] == "vanished"
            story.call(ADA).creates("elsewhere").creates("api")
            # One look may find the operation begun, or already ended.
            seen = json.loads(process.stdout.readline())
            while seen["outcome"] == "open":
                seen = json.loads(process.stdout.readline())
        finally:
            process.terminate()
        process.stdout.read()
    assert (seen["workspace"], seen["verb"], seen["outcome"]) == ("api", "create", "ok")


DAMAGES = {
    "a doubled line": lambda lines: [*lines[:3], lines[2], *lines[3:]],
    "two swapped": lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]],
    "one removed": lambda lines: [*lines[:3], *lines[4:]],
    "one changed": lambda lines: [*lines[:3], lines[3].replace(b'"ada"', b'"eve"'), *lines[4:]],
    "not text": lambda lines: [*lines[:3], lines[3].replace(b"ada", b"\xff\xfe\xfd"), *lines[4:]],
    "gigantic": lambda lines: [*lines[:3], lines[3][:-2] + b"x" * 2_000_000 + b"\n", *lines[4:]],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_log_still_answers_and_names_its_first_bad_line(
    call: Call, story: Story, tmp_path: Path, damage: str
) -> None:
    lines = story.path.read_bytes().splitlines(keepends=True)
    story.path.write_bytes(b"".join(DAMAGES[damage](lines)))
    for verb in (
        ("history", "--json"),
        ("audit", "--json"),
        ("audit", "who", "shop", "--json"),
        ("audit", "cost", "--json"),
        ("replay", "shop", "--json"),
        ("audit", "report", "-o", str(tmp_path / "page.html")),
    ):
        status, out, err = call(*verb)
        assert status == LogDamagedError.exit_status, verb
        assert out, verb
        (line,) = [line for line in err.splitlines() if line.startswith("error")]
        assert "line 4: " in line, verb


@pytest.mark.parametrize(
    "verb", [("history",), ("audit",), ("audit", "--json"), ("audit", "cost"), ("audit", "who", "shop")]
)
def test_a_log_of_which_nothing_can_be_read_is_not_called_empty(
    call: Call, story: Story, verb: tuple[str, ...]
) -> None:
    data = story.path.read_bytes()
    story.path.write_bytes(data[:100] + b"x" * 2_000_000 + b"\n")
    status, out, err = call(*verb)
    assert (status, out, len(err.splitlines())) == (LogDamagedError.exit_status, "", 1)
    assert "line 1: " in err


@pytest.mark.parametrize(
    "verb",
    [
        ("audit", "cost"),
        ("audit", "who", "api"),
        ("audit", "report", "-o", "report.html"),
        ("replay", "api"),
        ("replay", "--diff", "api@2", "api"),
        ("explain", "api"),
    ],
    ids=" ".join,
)
def test_what_a_newer_version_wrote_is_left_out_and_named(
    call: Call, story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    story.path.write_bytes(newer.log())
    status, out, err = call(*verb)
    assert status == LogDamagedError.exit_status
    assert out or "nothing of workspace api failed; it is stopped" in err
    (line,) = [line for line in err.splitlines() if line.startswith("error")]
    assert "install that one" in line
