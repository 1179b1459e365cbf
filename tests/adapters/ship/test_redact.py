"""Pseudonyms: nobody's name is left anywhere, the same name is the same everywhere, and hashes tell nothing."""

from __future__ import annotations

import os
import re
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unicodedata import normalize
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.ship.export import FORMATS
from adapters.ship.key import SIZE, key_path, redaction_key
from adapters.ship.local import LocalLog
from adapters.ship.names import pattern
from adapters.ship.redact import PREFIX, Redactor, names_in
from statemachine.errors import LogError
from tests.adapters.ship.logs import CORRELATION, chained, write

KEY = b"k" * SIZE
PEOPLE = ["ada", "lovelace", "laptop-7f", "corp.example", "grace", "hopper", "zoe", "bob", "buildbox", "1111-2222"]
ADA = {"user": "ada", "host": "laptop-7f.corp.example", "azure": "user:ada.lovelace@corp.example"}
GRACE = {"user": "CORP\\grace", "host": "buildbox", "azure": "app:1111-2222", "team": "grace hopper"}
DENIED = "The client 'zoe@corp.example' with object id '1111-2222' may not; Ada.Lovelace@corp.example is asked, see"
LOG = chained(
    [
        {"subject": "Grace-demo", "data": {"note": "built on BUILDBOX by bob@corp.example, not LAPTOP-7F"}},
        {"actor": ADA, "data": {"owner": {"host": "laptop-7f.corp.example", "pid": 7, "started": "b00t-1"}}},
        {"actor": GRACE, "data": {"failure": {"message": f"{DENIED} /home/ada/x and C:\\Users\\grace\\y"}}},
        {"actor": ADA, "type": "FromTheFuture", "people": ["ada", {"ada": "grace"}], "data": {"grace": [1, "x-ada-y"]}},
        {"actor": ADA, "data": {"command": "c1", "user": "hopper", "sha256": "ab" * 32, "size": 3}},
    ]
)


def exported(tmp_path: Path, form: str, key: bytes = KEY, data: bytes = LOG) -> bytes:
    log = LocalLog(write(tmp_path / "log", data))
    return b"".join(FORMATS[form](log.lines(), Redactor(key, names_in(log.lines())), 1))


@pytest.mark.parametrize("form", FORMATS)
def test_no_name_is_left_anywhere(tmp_path: Path, form: str) -> None:
    text = exported(tmp_path, form).decode().lower()
    assert [name for name in PEOPLE if name in text] == []
    assert PREFIX in text


@pytest.mark.parametrize("form", FORMATS)
def test_no_hash_is_left_that_names_could_be_tried_against(tmp_path: Path, form: str) -> None:
    text = exported(tmp_path, form).decode()
    lines = [msgspec.json.decode(line) for line in LOG.splitlines()]
    known = [line["hash"] for line in lines] + ["ab" * 32]
    assert not any(one in text or one[:16] in text for one in known)


def test_pseudonyms_are_the_same_in_every_export_and_others_with_another_key(tmp_path: Path) -> None:
    assert exported(tmp_path, "jsonl") == exported(tmp_path, "jsonl")
    assert exported(tmp_path, "jsonl") != exported(tmp_path, "jsonl", b"x" * SIZE)


def test_the_same_person_is_the_same_everywhere_and_the_rest_is_untouched(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [msgspec.json.decode(line) for line in exported(tmp_path, "jsonl").splitlines()]
    ada = records[1]["actor"]["user"]
    assert records[4]["actor"]["user"] == ada
    assert f"/home/{ada}/x" in records[2]["data"]["failure"]["message"]
    assert records[3]["data"][next(iter(records[3]["data"]))] == [1, f"x-{ada}-y"]
    assert records[1]["data"]["owner"]["host"] == records[1]["actor"]["host"]
    assert records[1]["data"]["owner"]["pid"] == 7
    assert records[1]["actor"]["azure"].startswith(f"user:{PREFIX}")
    assert [record["seq"] for record in records] == [1, 2, 3, 4, 5]
    assert {record["correlation"] for record in records} == {CORRELATION}
    # The chain can still be followed, only not back to names.
    assert [record["prev"] for record in records[1:]] == [record["hash"] for record in records[:-1]]
    assert records[0]["prev"] == "0" * 64


def test_common_names_are_replaced_where_a_person_belongs_only() -> None:
    redactor = Redactor(KEY, [])
    found = redactor.record({"actor": {"user": "root", "host": "localhost"}, "data": {"image": "docker.io/root/app"}})
    assert found["actor"]["user"].startswith(PREFIX)
    assert found["data"]["image"] == "docker.io/root/app"


def test_short_names_and_numbers_are_found_as_words() -> None:
    redactor = Redactor(KEY, ["al", "1000"])
    found = redactor.record({"data": {"text": "al met Alan at pal 1000 of 31000; AL-1"}})["data"]["text"]
    assert "met Alan at pal" in found
    assert "of 31000" in found
    assert not found.startswith("al")
    assert "AL" not in found


@pytest.mark.parametrize("name", ["İnci", "jos\u00e9", "jose\u0301", "Straße", "ΟΔΟΣ", "ŁUKASZ"])
def test_a_name_is_found_however_its_letters_are_written(name: str) -> None:
    redactor = Redactor(KEY, [name])
    ways = {name, name.lower(), name.upper(), normalize("NFC", name), normalize("NFD", name.lower())}
    for way in ways:
        found = redactor.record({"actor": {"user": name}, "data": {"text": f"the user {way}on a host"}})
        assert way not in found["data"]["text"]
        assert PREFIX in found["data"]["text"]
    first = redactor.record({"actor": {"user": normalize("NFC", name)}})
    assert first == redactor.record({"actor": {"user": normalize("NFD", name)}})


def test_seals_tell_nothing_to_who_has_the_public_key(tmp_path: Path) -> None:
    seal = {"count": 1, "head": "cd" * 32, "key": "0123456789abcdef", "signature": "ef" * 64}
    data = chained([{}, {"subject": "log", "type": "CheckpointSigned", "data": seal}])
    text = exported(tmp_path, "jsonl", data=data).decode()
    assert seal["key"] not in text
    assert "ef" * 16 not in text
    kept = msgspec.json.decode(text.splitlines()[1])["data"]
    assert (kept["count"], len(kept["key"]), len(kept["signature"])) == (1, 16, 128)


@settings(max_examples=150, deadline=None)
@given(st.sets(st.text(min_size=1, max_size=12), min_size=1, max_size=30), st.data())
def test_the_pattern_finds_every_name_and_prefers_the_longest(names: set[str], data: st.DataObject) -> None:
    found = pattern(names)
    assert found is not None
    name = data.draw(st.sampled_from(sorted(names)))
    match = found.search(name.lower())
    assert match
    if len(name.lower()) >= 3 and not name.isdigit():
        assert found.search(f"xx{name.lower()}yy")


@settings(max_examples=60, deadline=None)
@given(
    st.text("abcdefghijklmnoprstuvwxyzäöåé.-", min_size=4, max_size=20).filter(
        lambda t: any(v in t for v in "aeiouäöé")
    ),
    st.text(max_size=20),
)
def test_whatever_a_name_is_it_is_gone(name: str, around: str) -> None:
    redactor = Redactor(KEY, [name])
    record = {"actor": {"user": name}, "subject": name + around, "data": {"m": [around + name.upper() + name]}}
    text = msgspec.json.encode(redactor.record(record)).decode().lower()
    if name not in PREFIX:
        assert name not in text.replace(PREFIX, "")


@pytest.mark.parametrize(
    "address",
    [
        "zoe@corp.example",
        "zoe_mail.example#EXT#@corp.example",
        "zoe.o'hara@corp.example",
        "zoë.grün@bücher.example",
        normalize("NFD", "zoë.grün@bücher.example"),
        "zoe%40corp.example",
        "ZOE!X~Y^Z+1@corp.example",
    ],
)
def test_an_address_of_somebody_unknown_is_replaced_as_a_whole(address: str) -> None:
    redactor = Redactor(KEY)
    for around in ("{}", "'{}'", "said '{}', who", "<{}>", "mailto:{}?x", 'to "{}".', "a,{},b", "https://x/?u={}&v"):
        before, after = around.split("{}")
        found = redactor.record({"subject": around.format(address)})["subject"]
        assert re.fullmatch(re.escape(before) + PREFIX + "[a-z]+" + re.escape(after), found), found


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("9f0c1b2a-1111-2222-3333-44445555666a", "Principal 9F0C1B2A11112222333344445555666A does not exist"),
        ("grünwald", "GET /users/gr%C3%BCnwald"),
        ("Käthe", f"GET /users/{quote(normalize('NFD', 'käthe'))}"),
        ("CORP\\ada", "GET /users/corp%5cada"),
    ],
)
def test_a_name_is_found_as_azure_writes_it(name: str, text: str) -> None:
    found = Redactor(KEY, [name]).record({"subject": text})["subject"]
    assert re.fullmatch(r"(Principal|GET) (/users/)?anon-[a-z]+( does not exist)?", found), found


@pytest.mark.parametrize("text", ["registry.example/python@sha256:1234", "ada@laptop", "50%40 times", "it's at 5@"])
def test_what_is_no_address_stays(text: str) -> None:
    assert Redactor(KEY).record({"subject": text})["subject"] == text


@pytest.mark.parametrize("text", ["a", "a.", "x@", "x@a.", "client '", "/home/", "ada", "o'", "%40"])
def test_a_long_text_takes_no_longer_than_it_is_long(text: str) -> None:
    redactor = Redactor(KEY, ["ada", "adam"])
    begun = time.process_time()
    redactor.record({"subject": text * (200_000 // len(text))})
    assert time.process_time() - begun < 20


def test_the_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = key_path(tmp_path / "state" / "events.jsonl")
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: redaction_key(path), range(16)))
    assert len(keys) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_key_that_is_none_or_seen_by_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(LogError, match="there is no key"):
        redaction_key(path, make=False)
    path.write_bytes(b"short")
    path.chmod(0o600)
    with pytest.raises(LogError, match="is not a key"):
        redaction_key(path)
    path.write_bytes(KEY)
    path.chmod(0o644)
    with pytest.raises(LogError, match="chmod 600"):
        redaction_key(path)
    path.chmod(0o600)
    assert redaction_key(path) == KEY
    with pytest.raises(LogError, match="cannot be used"):
        redaction_key(Path(os.devnull) / "key")
