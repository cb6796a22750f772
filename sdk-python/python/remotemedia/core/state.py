"""State of a node per session, for nodes that serve several users."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any


class SessionState:
    """What a node remembers about one session: a dict with a name and times."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.data: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.created_at: float = time.monotonic()
        self.last_accessed: float = self.created_at

    def update_access_time(self) -> None:
        """Counts as use: the session's time to live begins anew."""
        self.last_accessed = time.monotonic()

    def get(self, key: str, default: Any = None) -> Any:
        """The value of `key`."""
        self.update_access_time()
        return self.data.get(key, default)

    def set(self, key: str, value: Any) -> None:
        """Remembers `value` under `key`."""
        self.update_access_time()
        self.data[key] = value

    def update(self, updates: dict[str, Any]) -> None:
        """Remembers several values."""
        self.update_access_time()
        self.data.update(updates)

    def clear(self) -> None:
        """Forgets everything but the session itself."""
        self.update_access_time()
        self.data.clear()


class StateManager:
    """The sessions of one node.

    A session that was not used for `default_ttl` (None: a day) is forgotten the next time that the manager is used.
    Beyond `max_sessions` the one that was not used for longest makes room. The methods are coroutine functions, but
    never wait, and may be used from any event loop.
    """

    def __init__(self, default_ttl: timedelta | None = None, max_sessions: int | None = None) -> None:
        if max_sessions is not None and (isinstance(max_sessions, bool) or not isinstance(max_sessions, int)):
            raise TypeError(f"max_sessions must be a whole number or None, not a {type(max_sessions).__name__}")
        if max_sessions is not None and max_sessions < 1:
            raise ValueError(f"max_sessions {max_sessions} must be at least 1, or None for no bound")
        if default_ttl is not None and not isinstance(default_ttl, timedelta):
            raise TypeError(f"state_ttl must be a timedelta or None, not a {type(default_ttl).__name__}")
        self.default_ttl: timedelta = timedelta(hours=24) if default_ttl is None else default_ttl
        self.max_sessions = max_sessions
        self._sessions: dict[str, SessionState] = {}
        self._lock = threading.Lock()

    def _forget_expired(self) -> int:
        oldest = time.monotonic() - self.default_ttl.total_seconds()
        expired = [name for name, session in self._sessions.items() if session.last_accessed < oldest]
        for name in expired:
            del self._sessions[name]
        return len(expired)

    async def get_or_create_session(self, session_id: str) -> SessionState:
        """The session of that name."""
        with self._lock:
            self._forget_expired()
            session = self._sessions.get(session_id)
            if session is None:
                if self.max_sessions is not None and len(self._sessions) >= self.max_sessions:
                    del self._sessions[min(self._sessions, key=lambda name: self._sessions[name].last_accessed)]
                session = self._sessions[session_id] = SessionState(session_id)
            session.update_access_time()
            return session

    async def get_session(self, session_id: str) -> SessionState | None:
        """The session of that name, if there is one."""
        with self._lock:
            self._forget_expired()
            return self._sessions.get(session_id)

    async def delete_session(self, session_id: str) -> bool:
        """Forgets a session; False when there was none."""
        with self._lock:
            return self._sessions.pop(session_id, None) is not None

    async def get_all_sessions(self) -> dict[str, SessionState]:
        """All sessions by name."""
        with self._lock:
            self._forget_expired()
            return dict(self._sessions)

    async def clear_all_sessions(self) -> None:
        """Forgets all sessions."""
        with self._lock:
            self._sessions.clear()

    async def cleanup_expired_sessions(self) -> int:
        """Forgets what has expired now, and says how many that were."""
        with self._lock:
            return self._forget_expired()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._lock = threading.Lock()
