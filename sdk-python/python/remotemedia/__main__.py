"""The host's command line in this Python: `python -m remotemedia`, and the script `remotemedia`."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

from remotemedia.core.modes import load


def main() -> NoReturn:
    """Runs the command line with this process's arguments, and ends the process with its exit code.

    Python nodes run in this Python, with its packages. What they print goes to standard error: standard output is the
    command line's.
    """
    native, why = load()
    if native is None:
        sys.exit(f"error: the native module of remotemedia cannot be loaded: {why}")
    # Python's own handler would wait for the command line to come back.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    standard_output, sys.stdout = sys.stdout, sys.stderr
    status: int = native.main(sys.argv[1:])
    for stream in (standard_output, sys.stderr):
        if stream is not None:
            stream.flush()
    # Nothing may wait for a node whose call never returns, as in the host's own program.
    os._exit(status)


if __name__ == "__main__":
    main()
