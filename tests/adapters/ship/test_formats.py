"""What others read: the log's own bytes, CloudEvents that pass CloudEvents' schema, OTLP that a collector parses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData

from adapters.ship.export import FORMATS
from adapters.ship.local import LocalLog
from adapters.ship.otlp_proto import export_request
from adapters.ship.tell import RECORDS, items
from tests.adapters.ship.logs import CORRELATION, chained, log_bytes, write

HERE = Path(__file__).parent
VALUES = {"text": "ä\u2028", "none": None, "yes": True, "big": 2**63, "int": -5, "half": 0.5, "list": [1, ["a"], {}]}
LOG = chained(
    [
        {},
        {"type": "StartFailed", "data": {"failure": VALUES}},
        {"type": "Vanished", "correlation": "", "actor": {"user": "ada", "host": "h", "azure": "", "team": "x"}},
        {"type": "FromTheFuture", "schema": 9, "zone": "eu", "many": {"a": 1}, "huge": 2**40, "Weird_Name!": "w"},
    ]
)


def exported(tmp_path: Path, form: str, data: bytes = LOG) -> bytes:
    return b"".join(FORMATS[form](LocalLog(write(tmp_path / "log", data)).lines(), None, 77))


def test_jsonl_is_the_log_byte_for_byte(tmp_path: Path) -> None:
    assert exported(tmp_path, "jsonl") == LOG


def test_cloudevents_pass_the_schema_of_the_specification(tmp_path: Path) -> None:
    import jsonschema

    schema: dict[str, Any] = msgspec.json.decode((HERE / "schemas" / "cloudevents.json").read_bytes())
    checker = jsonschema.Draft7Validator(schema, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER)
    lines = exported(tmp_path, "cloudevents").splitlines()
    batch = msgspec.json.decode(exported(tmp_path, "cloudevents-batch"))
    assert [msgspec.json.decode(line) for line in lines] == batch
    assert len(batch) == 4
    for event in batch:
        checker.validate(event)
        # What the schema does not say: names and types of extensions (spec.md, "Naming conventions", "Type system").
        for name, value in event.items():
            assert name == "data" or (name.isalnum() and name == name.lower() and len(name) <= 20)
            assert name == "data" or (isinstance(value, str) and value) or -(2**31) <= value < 2**31


def test_a_cloudevent_says_everything_the_record_says(tmp_path: Path) -> None:
    events = [msgspec.json.decode(line) for line in exported(tmp_path, "cloudevents").splitlines()]
    record = msgspec.json.decode(LOG.splitlines()[0])
    assert events[0] == {
        "specversion": "1.0",
        "id": record["id"],
        "source": f"devpod-provider-aci/{record['hash'][:16]}",
        "type": "StopRequested",
        "subject": "demo",
        "time": record["time"],
        "datacontenttype": "application/json",
        "sequence": "00000000000000000001",
        "actoruser": "ada",
        "actorhost": "laptop-ada",
        "actorazure": "user:ada.lovelace@corp.example",
        "schemaversion": 1,
        "correlationid": CORRELATION,
        "prevhash": "0" * 64,
        "hash": record["hash"],
        "data": record["data"],
    }
    assert "correlationid" not in events[2]
    assert "actorazure" not in events[2]
    assert (events[2]["actorteam"], events[3]["zone"], events[3]["weirdname"]) == ("x", "eu", "w")
    assert "many" not in events[3]
    assert "huge" not in events[3]


def test_an_empty_log_is_an_empty_batch(tmp_path: Path) -> None:
    assert msgspec.json.decode(exported(tmp_path, "cloudevents-batch", b"")) == []
    assert exported(tmp_path, "otlp-json", b"") == b""


def test_otlp_as_json_is_what_the_protobuf_is(tmp_path: Path) -> None:
    log = LocalLog(write(tmp_path / "log", LOG))
    text = exported(tmp_path, "otlp-json")
    written: dict[str, Any] = msgspec.json.decode(text)
    for scope in written["resourceLogs"]:
        for record in scope["scopeLogs"][0]["logRecords"]:
            # OTLP's JSON has ids as hex where protobuf's has base64; everything else is protobuf's mapping.
            if "traceId" in record:
                record["traceId"] = msgspec.json.decode(msgspec.json.encode(bytes.fromhex(record["traceId"])))
    parsed = json_format.ParseDict(written, LogsData())
    request = ExportLogsServiceRequest.FromString(export_request(items(log.lines(), None), observed=77))
    assert list(parsed.resource_logs) == list(request.resource_logs)
    assert b"_" not in b"".join(key for key in text.split(b'"') if key.endswith((b"Logs", b"Nano", b"Value")))


def test_a_log_record_says_who_what_when_and_how_grave(tmp_path: Path) -> None:
    log = LocalLog(write(tmp_path / "log", LOG))
    request = ExportLogsServiceRequest.FromString(export_request(items(log.lines(), None), observed=77))
    records = [record for one in request.resource_logs for record in one.scope_logs[0].log_records]
    assert [(record.event_name, record.severity_number) for record in records] == [
        ("StopRequested", 9),
        ("StartFailed", 17),
        ("FromTheFuture", 9),
        ("Vanished", 13),
    ]
    attributes = {pair.key: pair.value for pair in records[0].attributes}
    assert attributes["user.name"].string_value == "ada"
    assert attributes["log.record.uid"].string_value == msgspec.json.decode(LOG.splitlines()[0])["id"]
    assert attributes["devpod.aci.seq"].int_value == 1
    assert records[0].trace_id.hex() == CORRELATION.replace("-", "")
    assert records[3].trace_id == b""
    assert records[0].time_unix_nano == 1772355601_000000000
    assert records[0].observed_time_unix_nano == 77
    resource = {pair.key: pair.value.string_value for pair in request.resource_logs[0].resource.attributes}
    assert resource["host.name"] == "laptop-ada"
    assert resource["service.name"] == "devpod-provider-aci"


def test_the_file_form_has_batches(tmp_path: Path) -> None:
    assert len(exported(tmp_path, "otlp-json", log_bytes(RECORDS + 1)).splitlines()) == 2
