"""The base class: what a node was made with is never lost."""

import asyncio
import copy
import dataclasses
import inspect
import pickle
from datetime import timedelta
from typing import Any, Optional

import numpy
import pytest

from remotemedia import Node, Pipeline, RemoteExecutorConfig
from remotemedia.core.exceptions import ConfigurationError, SerializationError
from remotemedia.core.state import StateManager


class Echo(Node):
    def process(self, data):
        return data


class Forgetful(Echo):
    """Passes nothing on to the base class."""

    def __init__(self, gain, mode="soft", *, steps=3):
        super().__init__()
        self.gain = gain


class Silent(Echo):
    """Does not even call it."""

    def __init__(self, gain: float):
        self.gain = gain


class Loose(Echo):
    def __init__(self, *shapes, **options):
        super().__init__(**options)


class Named:
    def __init__(self, color="red", **rest):
        self.color = color
        super().__init__(**rest)


class Both(Named, Echo):
    def __init__(self, size, **rest):
        super().__init__(**rest)
        self.size = size


@dataclasses.dataclass
class Data(Echo):
    rate: int
    label: str = "x"
    tags: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Frozen(Echo):
    rate: int = 5


class Derived(Forgetful):
    def __init__(self, gain_db):
        super().__init__(gain=10 ** (gain_db / 20), mode="hard")


@pytest.mark.parametrize(
    ("node", "params"),
    [
        (Forgetful(2), {"gain": 2, "mode": "soft", "steps": 3}),
        (Forgetful(2, "hard", steps=4), {"gain": 2, "mode": "hard", "steps": 4}),
        (Forgetful(gain=0.5), {"gain": 0.5, "mode": "soft", "steps": 3}),
        (Silent(3.0), {"gain": 3.0}),
        (Loose(a=1, name="n", b=[2]), {"a": 1, "b": [2]}),
        (Both(4, color="blue"), {"size": 4, "color": "blue"}),
        (Both(4, name="both"), {"size": 4}),
        (Data(8000, tags=[1]), {"rate": 8000, "label": "x", "tags": [1]}),
        (Frozen(), {"rate": 5}),
        (Derived(20), {"gain_db": 20}),
        (Echo(name="e", threshold=3), {"threshold": 3}),
        (Echo(), {}),
    ],
)
def test_constructor_arguments_reach_the_manifest(node, params):
    assert node.to_manifest()["params"] == params


def test_config_has_what_was_given_and_what_was_passed_on():
    class Computes(Echo):
        def __init__(self, gain_db):
            super().__init__(linear=10 ** (gain_db / 20))

    node = Computes(20)
    assert node.config == {"gain_db": 20, "linear": 10.0}
    assert node.get_config() == {"name": "Computes", "class": "Computes", "gain_db": 20, "linear": 10.0}
    assert node.to_manifest()["params"] == {"gain_db": 20}


def test_a_node_that_never_calls_super_is_whole():
    node = Silent(1.0)
    assert (node.name, node.is_initialized, node.runtime_hint) == ("Silent", False, "auto")
    assert node.get_session_id() is None
    assert isinstance(node.state, StateManager)
    assert node.logger.name == "Silent"


def test_the_signature_is_that_of_the_constructor():
    assert list(inspect.signature(Forgetful).parameters) == ["gain", "mode", "steps"]
    assert list(inspect.signature(Data).parameters) == ["rate", "label", "tags"]
    assert list(inspect.signature(Echo).parameters) == ["name", "enable_state", "state_ttl", "max_sessions", "kwargs"]


def test_annotations_as_text_are_evaluated():
    class Typed(Echo):
        def __init__(self, rate: "Optional[int]" = None): ...

    assert inspect.signature(Typed).parameters["rate"].annotation == Optional[int]


def test_arguments_of_varargs_are_in_config_but_in_no_manifest():
    node = Loose(1, 2, depth=3)
    assert node.config == {"shapes": [1, 2], "depth": 3}
    with pytest.raises(SerializationError, match=r"\*shapes.*keyword"):
        node.to_manifest()


@pytest.mark.parametrize(
    ("value", "part"),
    [(print, "Forgetful.params.gain"), (float("nan"), "nan"), ({1: 2}, "keys"), ([object()], r"gain\[0\].*object")],
)
def test_what_json_cannot_say_is_named_with_its_path(value, part):
    with pytest.raises(SerializationError, match=part):
        Forgetful(value).to_manifest()


def test_numpy_scalars_and_tuples_become_json():
    params = Forgetful(numpy.float64(0.5), (1, numpy.int16(2))).to_manifest()["params"]
    assert params == {"gain": 0.5, "mode": [1, 2], "steps": 3}
    assert type(params["gain"]) is float


def test_copies_and_pickles_keep_everything():
    for node in (copy.copy(Forgetful(2)), pickle.loads(pickle.dumps(Forgetful(2))), copy.deepcopy(Forgetful(2))):
        assert node.gain == 2
        assert node.to_manifest() == Forgetful(2).to_manifest()


def test_a_runtime_hint_is_kept_whoever_swallows_it():
    class Swallows(Echo):
        def __init__(self, runtime_hint="auto"): ...

    assert Echo(runtime_hint="wasm").to_manifest()["runtime_hint"] == "wasm"
    assert Swallows(runtime_hint="cpython").to_manifest() == {
        "node_type": Swallows.__module__ + ":" + Swallows.__qualname__,
        "params": {},
        "runtime_hint": "cpython",
    }
    assert "runtime_hint" not in Echo().to_manifest()
    with pytest.raises(ConfigurationError, match="gpu.*must be one of auto"):
        Echo(runtime_hint="gpu")


def test_capabilities_are_written_unless_unwanted():
    class Heavy(Echo):
        capabilities = {"memory_gb": 8}

    assert Heavy().to_manifest()["capabilities"] == {"memory_gb": 8}
    assert "capabilities" not in Heavy().to_manifest(include_capabilities=False)


def test_an_abstract_node_cannot_be_made():
    with pytest.raises(TypeError, match="process"):
        Node()  # type: ignore[abstract]


@pytest.mark.parametrize("name", ["", 3])
def test_a_name_is_a_string_with_letters(name):
    with pytest.raises(TypeError, match="name"):
        Echo(name=name)


def test_super_initialize_may_be_awaited_or_not():
    class Old(Echo):
        async def initialize(self):
            await super().initialize()

    class New(Echo):
        def initialize(self):
            super().initialize()

    async def run():
        for node in (Old(), New()):
            pipeline = Pipeline([node], mode="python_cpu")
            async with pipeline:
                assert node.is_initialized
            assert not node.is_initialized

    asyncio.run(run())


def test_sessions_are_apart():
    async def run():
        node = Echo()
        node.set_session_id("a")
        (await node.get_session_state()).set("n", 1)
        (await node.get_session_state("b")).set("n", 2)
        assert (await node.get_session_state()).get("n") == 1
        assert sorted(await node.state.get_all_sessions()) == ["a", "b"]
        assert await node.state.delete_session("a")
        assert not await node.state.delete_session("a")
        node.set_session_id(None)
        assert await node.get_session_state() is None

    asyncio.run(run())


def test_sessions_expire_and_make_room():
    async def run():
        states = StateManager(default_ttl=timedelta(seconds=100), max_sessions=2)
        for name in "abc":
            (await states.get_or_create_session(name)).last_accessed += ord(name)
        assert sorted(await states.get_all_sessions()) == ["b", "c"]
        (await states.get_session("b")).last_accessed -= 1000
        assert await states.cleanup_expired_sessions() == 1
        assert sorted(await states.get_all_sessions()) == ["c"]

    asyncio.run(run())
    assert Echo(enable_state=False).state is None
    with pytest.raises(ValueError, match="max_sessions"):
        StateManager(max_sessions=0)


def test_session_ids_and_metadata_are_found_in_data():
    node = Echo()
    for data in ({"session_id": "s"}, (1, {"session_id": "s"}), ([0.0], 16000, {"session_id": "s"})):
        assert node.extract_session_id(data) == "s"
    for data in ("text", (1, 2), {"other": 1}, ()):
        assert node.extract_session_id(data) is None
    about: dict[str, Any] = {"session_id": "s"}
    for whole, split in (
        ((1, about), (1, about)),
        (([0.0], 16000, {"k": 1}), (([0.0], 16000), {"k": 1})),
        ((1, {"k": 1}), ((1, {"k": 1}), None)),
        ("text", ("text", None)),
    ):
        assert node.split_data_metadata(whole) == split
        assert node.merge_data_metadata(*split) == whole


def test_remote_settings_are_checked():
    assert RemoteExecutorConfig("host", 50052).protocol == "grpc"
    for wrong in ({"port": 0}, {"port": 70000}, {"protocol": "smtp"}, {"timeout": 0}):
        with pytest.raises(ConfigurationError):
            RemoteExecutorConfig(**{"host": "h", "port": 1, **wrong})
