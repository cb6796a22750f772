"""Fixtures for the tests of your own nodes. pytest finds them by itself where this package is installed.

`run_node` and `run_pipeline` run a test once in every mode, since a node must give the same in both. Whoever wants one mode
only calls `remotemedia.testing.run_node` or the pipeline itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from remotemedia.core.node import Node
    from remotemedia.core.pipeline import Pipeline
    from remotemedia.testing import TestSource

__all__ = ["AudioSource", "RunNode", "RunPipeline", "audio_source", "pipeline_mode", "run_node", "run_pipeline"]


class RunNode(Protocol):
    """What the fixture `run_node` is."""

    def __call__(self, node: Node, inputs: Iterable[Any]) -> list[Any]:
        """Everything that `node` gives for `inputs`, in order, what its `flush` gives included."""
        ...


class RunPipeline(Protocol):
    """What the fixture `run_pipeline` is."""

    def __call__(self, pipeline: Pipeline | Iterable[Node], input_data: Any = None) -> Any:
        """What `pipeline.run_sync(input_data)` gives; nodes alone are a chain."""
        ...


class AudioSource(Protocol):
    """What the fixture `audio_source` is."""

    def __call__(
        self,
        duration_s: float = 1.0,
        *,
        frequency_hz: float = 440.0,
        amplitude: float = 0.5,
        sample_rate_hz: int = 16000,
        channels: int = 1,
        chunk_ms: float = 20.0,
    ) -> TestSource:
        """A source of a sine; see `remotemedia.testing.sine`."""
        ...


@pytest.fixture(params=["python_cpu", "rust_inprocess_ffi"])
def pipeline_mode(request: pytest.FixtureRequest) -> str:
    """Every mode of running a pipeline, one after the other: a test that asks for it runs in each."""
    mode: str = request.param
    return mode


@pytest.fixture
def run_node(pipeline_mode: str) -> RunNode:
    """`remotemedia.testing.run_node` in every mode: `run_node(Louder(), [audio])` is the list of what came out."""
    from remotemedia import testing

    def run(node: Node, inputs: Iterable[Any]) -> list[Any]:
        return testing.run_node(node, inputs, mode=pipeline_mode)

    return run


@pytest.fixture
def run_pipeline(pipeline_mode: str) -> RunPipeline:
    """Runs a pipeline, or a chain of nodes, in every mode: `run_pipeline([Louder(), Halver()], audio)`."""
    from remotemedia.core.pipeline import Pipeline

    def run(pipeline: Pipeline | Iterable[Node], input_data: Any = None) -> Any:
        whole = pipeline if isinstance(pipeline, Pipeline) else Pipeline(list(pipeline))
        return whole.run_sync(input_data, mode=pipeline_mode)

    return run


@pytest.fixture
def audio_source() -> AudioSource:
    """Makes sources of audio: `run_pipeline([audio_source(0.5, channels=2), Louder()])`."""
    from remotemedia import testing

    def source(duration_s: float = 1.0, **settings: Any) -> TestSource:
        return testing.TestSource(testing.sine(duration_s, **settings))

    return source
