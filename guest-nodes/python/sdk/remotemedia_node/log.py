"""The host's log, under the node's id. Lines go to standard error where there is no host."""

import sys

_LEVELS = ("trace", "debug", "info", "warn", "error")


def _write(level, message):
    try:
        from wit_world.imports import host
    except ImportError:
        print(f"{level}: {message}", file=sys.stderr)
    else:
        host.log(host.Level(_LEVELS.index(level)), str(message))


def trace(message):
    """Every step."""
    _write("trace", message)


def debug(message):
    """What helps to find a fault."""
    _write("debug", message)


def info(message):
    """What an operator may want to know."""
    _write("info", message)


def warn(message):
    """Something is not as it should be, and the node goes on."""
    _write("warn", message)


def error(message):
    """Something failed."""
    _write("error", message)
