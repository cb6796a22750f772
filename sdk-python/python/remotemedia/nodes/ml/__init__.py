"""Nodes that run neural networks. Each is imported when it is first used, and its libraries when a pipeline starts it:
importing this imports neither torch nor transformers."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from remotemedia.nodes.ml.devices import DeviceError as DeviceError
    from remotemedia.nodes.ml.libraries import MissingLibraryError as MissingLibraryError
    from remotemedia.nodes.ml.libraries import ModelError as ModelError
    from remotemedia.nodes.ml.qwen import Qwen2_5OmniNode as Qwen2_5OmniNode
    from remotemedia.nodes.ml.torch_node import TorchNode as TorchNode
    from remotemedia.nodes.ml.transformers_pipeline import TransformersPipelineNode as TransformersPipelineNode
    from remotemedia.nodes.ml.ultravox import UltravoxNode as UltravoxNode
    from remotemedia.nodes.ml.whisper import WhisperTranscriptionNode as WhisperTranscriptionNode
    from remotemedia.nodes.vad import SileroVADNode as SileroVADNode

_WHERE = {
    "DeviceError": "remotemedia.nodes.ml.devices",
    "MissingLibraryError": "remotemedia.nodes.ml.libraries",
    "ModelError": "remotemedia.nodes.ml.libraries",
    "Qwen2_5OmniNode": "remotemedia.nodes.ml.qwen",
    "SileroVADNode": "remotemedia.nodes.vad",
    "TorchNode": "remotemedia.nodes.ml.torch_node",
    "TransformersPipelineNode": "remotemedia.nodes.ml.transformers_pipeline",
    "UltravoxNode": "remotemedia.nodes.ml.ultravox",
    "WhisperTranscriptionNode": "remotemedia.nodes.ml.whisper",
}

__all__ = sorted(_WHERE)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_WHERE[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
