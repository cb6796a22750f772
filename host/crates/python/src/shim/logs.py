"""Python's logging joins the host's log: a handler of the root logger, beside whatever handlers an author adds.

`logging.basicConfig()` does nothing when the root logger has a handler. Here it goes on to mean what its caller means:
a level is set, and a stream, a file or handlers that it names are added. What it says about the format of lines on
standard error is not needed: the host's log is there.
"""

import functools
import logging

_OWN_PLACE = ("filename", "stream", "handlers", "force")


class ToHost(logging.Handler):
    """Hands records to the host."""

    def __init__(self, send):
        super().__init__()
        self._send = send
        self._words = logging.Formatter()

    def emit(self, record):
        try:
            trace = self._words.formatException(record.exc_info) if record.exc_info else ""
            self._send(record.levelno, record.name, record.getMessage(), trace)
        except Exception:
            self.handleError(record)


def install(send, lowest):
    """Once: `lowest` is the level below which the host logs nothing of Python. A level that somebody has set stays."""
    root = logging.getLogger()
    handler = ToHost(send)
    root.addHandler(handler)
    if root.level == logging.WARNING:
        root.setLevel(min(lowest, logging.WARNING))
    configure = logging.basicConfig

    @functools.wraps(configure)
    def basic_config(**settings):
        if root.handlers != [handler] or any(settings.get(name) for name in _OWN_PLACE):
            root.removeHandler(handler)
            try:
                configure(**settings)
            finally:
                root.addHandler(handler)
        elif settings.get("level") is not None:
            root.setLevel(settings["level"])

    logging.basicConfig = basic_config
