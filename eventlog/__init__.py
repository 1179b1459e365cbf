"""The append-only event log: write, verify, read."""

from eventlog.lines.codec import LOG_SUBJECT, TornTailSetAside
from eventlog.lines.record import Actor, Record
from eventlog.log import EventLog, ensure_writable
from eventlog.paths import default_path
from eventlog.verify import Verdict, verify

__all__ = [
    "LOG_SUBJECT",
    "Actor",
    "EventLog",
    "Record",
    "TornTailSetAside",
    "Verdict",
    "default_path",
    "ensure_writable",
    "verify",
]
