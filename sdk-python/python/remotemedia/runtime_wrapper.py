"""Pipelines, lists of nodes and manifests alike, run by the native engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from remotemedia.core.node import Node

if TYPE_CHECKING:
    from remotemedia.core.pipeline import Pipeline

__all__ = ["execute_pipeline", "execute_pipeline_with_input"]


async def execute_pipeline(
    pipeline_or_manifest: Pipeline | Sequence[Node | Mapping[str, Any]] | Mapping[str, Any] | str,
    enable_metrics: bool = False,
) -> Any:
    """Runs a pipeline, nodes in a row (instances or entries of a manifest), a manifest, or its JSON text, without input.

    The result is that of `Pipeline.run`; with `enable_metrics` {"outputs": the result, "metrics": what was counted, as
    JSON}. Raises `ImportError` without the native module.
    """
    from remotemedia.runtime import execute

    return await execute(pipeline_or_manifest, None, enable_metrics)


async def execute_pipeline_with_input(
    pipeline_or_manifest: Pipeline | Sequence[Node | Mapping[str, Any]] | Mapping[str, Any] | str,
    input_data: Sequence[Any],
    enable_metrics: bool = False,
) -> Any:
    """As `execute_pipeline`, over the items of `input_data`; at least one."""
    from remotemedia.runtime import execute

    if not isinstance(input_data, (list, tuple)):
        raise TypeError(f"input_data must be a list of items, not a {type(input_data).__name__}")
    if not input_data:
        raise ValueError("input_data is empty: give at least one item, or use execute_pipeline")
    return await execute(pipeline_or_manifest, list(input_data), enable_metrics)
