"""The append-only event log: write, verify, read."""

from eventlog.codec import LOG_SUBJECT, TornTailSetAside
from eventlog.log import EventLog, ensure_writable
from eventlog.paths import default_path
from eventlog.record import Actor, Record
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
