"""The Python nodes that a manifest may name without a module. Each is imported when it is first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from remotemedia.core.node import Node as Node
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
    from remotemedia.nodes.grpc_source import GRPCStreamManager as GRPCStreamManager
    from remotemedia.nodes.grpc_source import GRPCStreamSource as GRPCStreamSource
    from remotemedia.nodes.grpc_source import get_grpc_stream_manager as get_grpc_stream_manager
    from remotemedia.nodes.io_nodes import BidirectionalNode as BidirectionalNode
    from remotemedia.nodes.io_nodes import DataSinkNode as DataSinkNode
    from remotemedia.nodes.io_nodes import DataSourceNode as DataSourceNode
    from remotemedia.nodes.io_nodes import JavaScriptBridgeNode as JavaScriptBridgeNode
    from remotemedia.nodes.ml.qwen import Qwen2_5OmniNode as Qwen2_5OmniNode
    from remotemedia.nodes.ml.torch_node import TorchNode as TorchNode
    from remotemedia.nodes.ml.transformers_pipeline import TransformersPipelineNode as TransformersPipelineNode
    from remotemedia.nodes.ml.ultravox import UltravoxNode as UltravoxNode
    from remotemedia.nodes.ml.whisper import WhisperTranscriptionNode as WhisperTranscriptionNode
    from remotemedia.nodes.native import NativeNode as NativeNode
    from remotemedia.nodes.native import WasmNode as WasmNode
    from remotemedia.nodes.registration import streaming_node as streaming_node
    from remotemedia.nodes.remote import RemoteExecutionNode as RemoteExecutionNode
    from remotemedia.nodes.remote import RemoteObjectExecutionNode as RemoteObjectExecutionNode
    from remotemedia.nodes.serialized_class_executor import SerializedClassExecutorNode as SerializedClassExecutorNode
    from remotemedia.nodes.simple_math import AddNode as AddNode
    from remotemedia.nodes.simple_math import MultiplyNode as MultiplyNode
    from remotemedia.nodes.sink import MediaWriterNode as MediaWriterNode
    from remotemedia.nodes.source import AudioTrackSource as AudioTrackSource
    from remotemedia.nodes.source import LocalMediaReaderNode as LocalMediaReaderNode
    from remotemedia.nodes.source import MediaReaderNode as MediaReaderNode
    from remotemedia.nodes.source import VideoTrackSource as VideoTrackSource
    from remotemedia.nodes.spectral import SpectralCentroid as SpectralCentroid
    from remotemedia.nodes.test_nodes import BatcherNode as BatcherNode
    from remotemedia.nodes.test_nodes import ChainedTransformNode as ChainedTransformNode
    from remotemedia.nodes.test_nodes import ConditionalExpanderNode as ConditionalExpanderNode
    from remotemedia.nodes.test_nodes import CounterNode as CounterNode
    from remotemedia.nodes.test_nodes import ErrorProneNode as ErrorProneNode
    from remotemedia.nodes.test_nodes import ExpanderNode as ExpanderNode
    from remotemedia.nodes.test_nodes import FilterNode as FilterNode
    from remotemedia.nodes.test_nodes import RangeGeneratorNode as RangeGeneratorNode
    from remotemedia.nodes.test_nodes import TransformAndExpandNode as TransformAndExpandNode
    from remotemedia.nodes.text_collector import TextCollectorNode as TextCollectorNode
    from remotemedia.nodes.text_processor import TextProcessorNode as TextProcessorNode
    from remotemedia.nodes.transcription import RustWhisperTranscriber as RustWhisperTranscriber
    from remotemedia.nodes.transcription import WhisperXTranscriber as WhisperXTranscriber
    from remotemedia.nodes.transform import DataTransform as DataTransform
    from remotemedia.nodes.transform import FormatConverter as FormatConverter
    from remotemedia.nodes.transform import TextTransformNode as TextTransformNode
    from remotemedia.nodes.vad import SileroVADNode as SileroVADNode
    from remotemedia.nodes.video import VideoBuffer as VideoBuffer
    from remotemedia.nodes.video import VideoResizer as VideoResizer
    from remotemedia.nodes.video import VideoTransform as VideoTransform
    from remotemedia.nodes.voice import VADNode as VADNode
    from remotemedia.nodes.voice import VoiceActivityDetector as VoiceActivityDetector

#: The module of every node. The host reads these lines without running them.
_WHERE = {
    "AddNode": "simple_math",
    "AudioBuffer": "audio",
    "AudioResampleNode": "audio",
    "AudioResampler": "audio",
    "AudioTrackSource": "source",
    "AudioTransform": "audio",
    "BatcherNode": "test_nodes",
    "BidirectionalNode": "io_nodes",
    "BufferNode": "base",
    "CalculatorNode": "calculator",
    "ChainedTransformNode": "test_nodes",
    "CodeExecutorNode": "code_executor",
    "ConditionalExpanderNode": "test_nodes",
    "CounterNode": "test_nodes",
    "DataSinkNode": "io_nodes",
    "DataSourceNode": "io_nodes",
    "DataTransform": "transform",
    "ErrorProneNode": "test_nodes",
    "ExpanderNode": "test_nodes",
    "ExtractAudioDataNode": "audio",
    "FilterNode": "test_nodes",
    "FormatConverter": "transform",
    "FormatConverterNode": "audio",
    "GRPCStreamSource": "grpc_source",
    "JavaScriptBridgeNode": "io_nodes",
    "LocalMediaReaderNode": "source",
    "MediaReaderNode": "source",
    "MediaWriterNode": "sink",
    "MultiplyNode": "simple_math",
    "NativeNode": "native",
    "PassThroughNode": "base",
    "Qwen2_5OmniNode": "ml.qwen",
    "RangeGeneratorNode": "test_nodes",
    "RemoteExecutionNode": "remote",
    "RemoteObjectExecutionNode": "remote",
    "RustWhisperTranscriber": "transcription",
    "SerializedClassExecutorNode": "serialized_class_executor",
    "SileroVADNode": "vad",
    "SpectralCentroid": "spectral",
    "StatefulCounter": "custom",
    "TextCollectorNode": "text_collector",
    "TextProcessorNode": "text_processor",
    "TextTransformNode": "transform",
    "TorchNode": "ml.torch_node",
    "TransformAndExpandNode": "test_nodes",
    "TransformersPipelineNode": "ml.transformers_pipeline",
    "UltravoxNode": "ml.ultravox",
    "VADNode": "voice",
    "VideoBuffer": "video",
    "VideoResizer": "video",
    "VideoTrackSource": "source",
    "VideoTransform": "video",
    "VoiceActivityDetector": "voice",
    "WasmNode": "native",
    "WhisperTranscriptionNode": "ml.whisper",
    "WhisperXTranscriber": "transcription",
}

#: What pipelines import from here that is no node.
_BESIDE = {
    "GRPCStreamManager": "remotemedia.nodes.grpc_source",
    "Node": "remotemedia.core.node",
    "get_grpc_stream_manager": "remotemedia.nodes.grpc_source",
    "streaming_node": "remotemedia.nodes.registration",
}

__all__ = sorted(_WHERE)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    module = f"{__name__}.{_WHERE[name]}" if name in _WHERE else _BESIDE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(module), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
