"""The Python nodes that a manifest may name without a module. Each is imported when it is first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from remotemedia.nodes.audio import AudioBuffer as AudioBuffer
    from remotemedia.nodes.audio import AudioResampleNode as AudioResampleNode
    from remotemedia.nodes.audio import AudioResampler as AudioResampler
    from remotemedia.nodes.audio import AudioTransform as AudioTransform
    from remotemedia.nodes.audio import ExtractAudioDataNode as ExtractAudioDataNode
    from remotemedia.nodes.audio import FormatConverterNode as FormatConverterNode
    from remotemedia.nodes.base import BufferNode as BufferNode
    from remotemedia.nodes.base import PassThroughNode as PassThroughNode
    from remotemedia.nodes.calculator import CalculatorNode as CalculatorNode
    from remotemedia.nodes.code_executor import CodeExecutorNode as CodeExecutorNode
    from remotemedia.nodes.custom import StatefulCounter as StatefulCounter
    from remotemedia.nodes.io_nodes import BidirectionalNode as BidirectionalNode
    from remotemedia.nodes.io_nodes import DataSinkNode as DataSinkNode
    from remotemedia.nodes.io_nodes import DataSourceNode as DataSourceNode
    from remotemedia.nodes.io_nodes import JavaScriptBridgeNode as JavaScriptBridgeNode
    from remotemedia.nodes.native import NativeNode as NativeNode
    from remotemedia.nodes.native import WasmNode as WasmNode
    from remotemedia.nodes.serialized_class_executor import SerializedClassExecutorNode as SerializedClassExecutorNode
    from remotemedia.nodes.simple_math import AddNode as AddNode
    from remotemedia.nodes.simple_math import MultiplyNode as MultiplyNode
    from remotemedia.nodes.spectral import SpectralCentroid as SpectralCentroid
    from remotemedia.nodes.text_collector import TextCollectorNode as TextCollectorNode
    from remotemedia.nodes.text_processor import TextProcessorNode as TextProcessorNode
    from remotemedia.nodes.transform import DataTransform as DataTransform
    from remotemedia.nodes.transform import FormatConverter as FormatConverter
    from remotemedia.nodes.transform import TextTransformNode as TextTransformNode
    from remotemedia.nodes.vad import SileroVADNode as SileroVADNode
    from remotemedia.nodes.video import VideoBuffer as VideoBuffer
    from remotemedia.nodes.video import VideoResizer as VideoResizer
    from remotemedia.nodes.video import VideoTransform as VideoTransform
    from remotemedia.nodes.voice import VADNode as VADNode
    from remotemedia.nodes.voice import VoiceActivityDetector as VoiceActivityDetector

_WHERE = {
    "AddNode": "simple_math",
    "AudioBuffer": "audio",
    "AudioResampleNode": "audio",
    "AudioResampler": "audio",
    "AudioTransform": "audio",
    "BidirectionalNode": "io_nodes",
    "BufferNode": "base",
    "CalculatorNode": "calculator",
    "CodeExecutorNode": "code_executor",
    "DataSinkNode": "io_nodes",
    "DataSourceNode": "io_nodes",
    "DataTransform": "transform",
    "ExtractAudioDataNode": "audio",
    "FormatConverter": "transform",
    "FormatConverterNode": "audio",
    "JavaScriptBridgeNode": "io_nodes",
    "MultiplyNode": "simple_math",
    "NativeNode": "native",
    "PassThroughNode": "base",
    "SerializedClassExecutorNode": "serialized_class_executor",
    "SileroVADNode": "vad",
    "SpectralCentroid": "spectral",
    "StatefulCounter": "custom",
    "TextCollectorNode": "text_collector",
    "TextProcessorNode": "text_processor",
    "TextTransformNode": "transform",
    "VADNode": "voice",
    "VideoBuffer": "video",
    "VideoResizer": "video",
    "VideoTransform": "video",
    "VoiceActivityDetector": "voice",
    "WasmNode": "native",
}

__all__ = sorted(_WHERE)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
