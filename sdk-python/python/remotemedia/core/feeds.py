"""Which of the feeds of a stream an interruption made void."""

from __future__ import annotations

import threading


class Feeds:
    """Numbers the feeds of one stream from 1. One thread feeds, any thread interrupts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: The number of the last feed.
        self.last: int = 0
        #: What came of this feed, and of those before, is void.
        self.cut: int = 0

    def begin(self) -> int:
        """Begins a feed and returns its number."""
        with self._lock:
            self.last += 1
            return self.last

    def interrupt(self) -> None:
        """Makes void what was fed so far."""
        with self._lock:
            self.cut = self.last

    def is_void(self, feed: int) -> bool:
        """Is what came of that feed void?"""
        return feed <= self.cut
