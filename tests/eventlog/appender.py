"""A process that appends: ``python -m tests.eventlog.appender LOG MODE SUBJECT COUNT [BYTES]``.

Every seq is printed once it is acknowledged. ``free`` appends whatever others do; ``careful`` reads first, insists,
and writes into its event what it had read; ``limited`` may make files of BYTES at most.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from eventlog import Actor, EventLog
from statemachine.errors import LogConflictError, LogError
from statemachine.events import Exited


def main() -> None:
    path, mode, subject, count = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    log = EventLog(path, actor=lambda: Actor(f"user-{os.getpid()}", "host"), correlation=str(os.getpid()))
    if mode == "limited":
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[5]), resource.RLIM_INFINITY))
    done = 0
    while done < count:
        try:
            if mode == "careful":
                version = max((recorded.seq for recorded in log.history(subject)), default=0)
                recorded = log.append(subject, Exited(detail=str(version)), expected=version)
            else:
                recorded = log.append(subject, Exited(detail=f"{os.getpid()}/{done}"))
        except LogConflictError:
            continue
        except LogError as error:
            print(error, flush=True)
            sys.exit(error.exit_status)
        done += 1
        os.write(1, b"%d\n" % recorded.seq)


if __name__ == "__main__":
    main()
