"""The base class of nodes."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from remotemedia.core.arguments import ConstructorSignature, params_of, to_json, variable_positional
from remotemedia.core.exceptions import ConfigurationError, SerializationError
from remotemedia.core.types import RUNTIME_HINTS

if TYPE_CHECKING:
    from logging import Logger

    from typing_extensions import Self

    from remotemedia.core.state import SessionState, StateManager

#: Keys by which a dict at the end of a tuple is known to be about the data and not data.
_METADATA_KEYS = frozenset({"session_id", "metadata", "timestamp", "user_id", "request_id", "is_speech"})


@dataclass
class RemoteExecutorConfig:
    """Where another machine runs nodes. It is kept with the node; this version runs every node in this process."""

    host: str
    port: int
    protocol: str = "grpc"
    auth_token: str | None = None
    timeout: float = 30.0
    max_retries: int = 3
    ssl_enabled: bool = True
    pip_packages: list[str] | None = None

    def __post_init__(self) -> None:
        if self.protocol not in ("grpc", "http"):
            raise ConfigurationError(f"protocol {self.protocol!r} must be 'grpc' or 'http'")
        if not 0 < self.port < 65536:
            raise ConfigurationError(f"port {self.port} must be from 1 to 65535")
        if not self.timeout > 0:
            raise ConfigurationError(f"timeout {self.timeout} must be more than 0 seconds")

    def __call__(self, target: Any, **kwargs: Any) -> Any:
        """Raises `RemoteExecutionError`: `target` would run there, and no node does."""
        from remotemedia.nodes.remote import refusal

        raise refusal(target, self)


class _Done:
    """Already over: may be awaited or not."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield  # makes this a generator


_DONE = _Done()


class Node(ABC):
    """One node of a pipeline. Subclasses define `process`; everything else is optional.

    Every method may be a plain function or a coroutine function. `process` may also be a generator or an asynchronous
    generator: each value it yields is one output. What it returns is one output; None is no output.

    Audio arrives as the tuple `(samples, sample_rate)`, with `samples` a float32 array of shape (channels, frames).
    In the native runtime it points into the host's memory and is read-only (`samples.flags.writeable`) while other nodes
    use it too, so copy it before changing it in place.

    A subclass may define `flush()`, which is called once after the last packet, and `reset()`, which is called when the
    pipeline was interrupted: it forgets what the node was given so far, and returns False if it cannot. It may set the class attributes
    `is_streaming` (`process` then takes one asynchronous generator of all inputs), `is_source` (`process` is called
    without input until it gives None), `remotemedia_inputs` and `remotemedia_outputs` (port name to "audio", "text",
    "json", "tensor", "bytes" or "any").

    The arguments of the constructor are remembered as they were given, also where a subclass does not pass them on to
    `super().__init__`, or does not call it at all: `config`, `to_manifest()` and copies are made from them.
    """

    is_streaming: bool = False
    is_source: bool = False
    is_sink: bool = False
    is_remote: bool = False
    remote_config: RemoteExecutorConfig | None = None
    runtime_hint: str = "auto"
    #: Its native counterpart may be given any Python object, and gives back that object.
    _hands_on_objects: ClassVar[bool] = False
    #: The node type of manifests, where it is not the name of the class.
    remotemedia_type: ClassVar[str | None] = None
    #: Hardware that the node needs, as manifests say it: {"gpu": {…}, "cpu": {…}, "memory_gb": …}.
    capabilities: ClassVar[dict[str, Any] | None] = None

    name: str
    _arguments: tuple[tuple[Any, ...], dict[str, Any]]
    _passed_on: dict[str, Any]
    _is_initialized: bool
    _session_id: str | None

    __signature__: ClassVar[ConstructorSignature] = ConstructorSignature()

    if not TYPE_CHECKING:  # type checkers read the signature off __init__

        def __new__(cls, *args: Any, **kwargs: Any) -> Self:
            node = super().__new__(cls)
            # Past the subclass's own __setattr__, which may need what its __init__ makes.
            fields = node.__dict__
            fields["_arguments"] = (args, kwargs)
            fields["name"] = cls.__name__
            fields["_passed_on"] = {}
            if "runtime_hint" in kwargs:
                fields["runtime_hint"] = _checked_hint(kwargs["runtime_hint"])
            fields["_is_initialized"] = False
            fields["_session_id"] = None
            return node

    def __init__(
        self,
        name: str | None = None,
        enable_state: bool = True,
        state_ttl: timedelta | None = None,
        max_sessions: int | None = None,
        **kwargs: Any,
    ) -> None:
        """`kwargs` other than `runtime_hint` are added to `config`."""
        if name is not None:
            if not isinstance(name, str) or not name:
                raise TypeError(f"name must be a string that is not empty, got {name!r}")
            self.name = name
        hint = kwargs.pop("runtime_hint", None)
        if hint is not None:
            self.runtime_hint = _checked_hint(hint)
        self._passed_on = kwargs
        self._state_settings = (enable_state, state_ttl, max_sessions)

    # The next three are made when they are first asked for: most nodes are never asked.

    @cached_property
    def config(self) -> dict[str, Any]:
        """What the constructor was given, and what it passed on to `super().__init__`."""
        return {**self._extract_params(), **self._passed_on}

    @cached_property
    def state(self) -> StateManager | None:
        """What the node remembers per session; None after `enable_state=False`."""
        from remotemedia.core.state import StateManager

        enabled, ttl, most = self.__dict__.get("_state_settings", (True, None, None))
        return StateManager(ttl, most) if enabled else None

    @cached_property
    def logger(self) -> Logger:
        """A logger with the name of the class."""
        import logging

        return logging.getLogger(type(self).__name__)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the logger."""
        return {name: value for name, value in self.__dict__.items() if name != "logger"}

    def initialize(self) -> Any:
        """Called once before the first packet: load models here."""
        self.__dict__["_is_initialized"] = True  # nodes may be frozen
        return _DONE

    @abstractmethod
    def process(self, data: Any) -> Any:
        """Takes one packet's value and gives what becomes of it."""

    def cleanup(self) -> Any:
        """Called last, also after an error."""
        self.__dict__["_is_initialized"] = False
        return _DONE

    @property
    def is_initialized(self) -> bool:
        """True between `initialize` and `cleanup`."""
        return self._is_initialized

    def get_config(self) -> dict[str, Any]:
        """What the node was made with, as a dict: {"name", "class", and every param}."""
        return {"name": self.name, "class": type(self).__name__, **self.config}

    def get_capabilities(self) -> dict[str, Any] | None:
        """The hardware that the node needs."""
        return self.capabilities

    def to_manifest(self, include_capabilities: bool = True) -> dict[str, Any]:
        """The node as a manifest's entry, without an id.

        Raises `SerializationError` when an argument has no JSON.
        """
        entry: dict[str, Any] = {"node_type": node_type_of(type(self)), "params": self._params()}
        if self.is_streaming:
            entry["is_streaming"] = True
        if self.runtime_hint != "auto":
            entry["runtime_hint"] = _checked_hint(self.runtime_hint)
        if include_capabilities and self.get_capabilities() is not None:
            entry["capabilities"] = self.get_capabilities()
        return entry

    def _extract_params(self) -> dict[str, Any]:
        """The params of the manifest, before they are checked to be JSON: what the constructor was given."""
        return params_of(type(self), *self._arguments)

    def _native_entry(self) -> dict[str, Any] | None:
        """The manifest's entry of a node that the native engine makes by itself; None of one that Python runs."""
        return None

    def _native_kernel(self) -> dict[str, Any] | None:
        """The manifest's entry of a native node that does the work of this one, which stays a Python object (see
        `AudioNode`); None when there is none."""
        return None

    def _params(self) -> dict[str, Any]:
        swallowed = variable_positional(type(self), self._arguments[0])
        if swallowed is not None:
            raise SerializationError(
                f"{type(self).__qualname__}: what was given to *{swallowed} has no name that a manifest could use; "
                "make it a keyword argument"
            )
        params: dict[str, Any] = to_json(self._extract_params(), f"{type(self).__qualname__}.params")
        return params

    def set_session_id(self, session_id: str | None) -> None:
        """Whose data comes next."""
        self._session_id = session_id

    def get_session_id(self) -> str | None:
        """Whose data is being processed."""
        return self._session_id

    async def get_session_state(self, session_id: str | None = None) -> SessionState | None:
        """The state of that session, of the current one by default; None without either."""
        wanted = session_id or self._session_id
        if self.state is None or not wanted:
            return None
        return await self.state.get_or_create_session(wanted)

    def extract_session_id(self, data: Any) -> str | None:
        """The `session_id` of a dict, or of the dict at the end of a tuple."""
        if isinstance(data, tuple) and len(data) >= 2:
            data = data[-1]
        if isinstance(data, dict):
            found: str | None = data.get("session_id")
            return found
        return None

    def split_data_metadata(self, data: Any) -> tuple[Any, dict[str, Any] | None]:
        """`(data, metadata)` of a tuple that ends in a dict about it; `(data, None)` of anything else.

        A pair comes back as its first item, a longer tuple as a tuple without its last one.
        """
        if isinstance(data, tuple) and len(data) >= 2 and isinstance(data[-1], dict):
            if len(data) > 2 or not _METADATA_KEYS.isdisjoint(data[-1]):
                return (data[0] if len(data) == 2 else data[:-1]), data[-1]
        return data, None

    def merge_data_metadata(self, data: Any, metadata: dict[str, Any] | None) -> Any:
        """The opposite of `split_data_metadata`."""
        if metadata is None:
            return data
        return (*data, metadata) if isinstance(data, tuple) else (data, metadata)

    def __repr__(self) -> str:
        params = ", ".join(f"{name}={value!r}" for name, value in self.config.items())
        return f"{type(self).__name__}({params})"


def _checked_hint(hint: Any) -> str:
    if hint not in RUNTIME_HINTS:
        raise ConfigurationError(f"runtime_hint {hint!r} must be one of {', '.join(RUNTIME_HINTS)}")
    return str(hint)


def node_type_of(node_class: type[Node]) -> str:
    """What manifests call a class: its bare name when `remotemedia.nodes` has it, `module:Class` otherwise."""
    if node_class.remotemedia_type is not None and "remotemedia_type" in vars(node_class):
        return node_class.remotemedia_type
    if node_class.__module__.startswith("remotemedia.nodes"):
        return node_class.__name__
    return f"{node_class.__module__}:{node_class.__qualname__}"


def id_of(name: str, position: int) -> str:
    """The id of the node called `name` at `position`: only letters, digits, `_` and `-` may be in it."""
    return f"{re.sub(r'[^a-zA-Z0-9_-]', '_', name)}_{position}"
