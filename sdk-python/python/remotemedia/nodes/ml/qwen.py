"""Qwen2.5-Omni: its name and constructor, so that programs which mention it load. It does not run here."""

from __future__ import annotations

from typing import Any

from remotemedia.core.exceptions import NodeError
from remotemedia.core.node import Node
from remotemedia.nodes.ml.devices import checked_device


class Qwen2_5OmniNode(Node):  # noqa: N801 - the old SDK's name
    """Not available: a pipeline with this node cannot be started, and says so.

    The model takes audio and video at once and answers with text and speech. What it is given depends on the version of its
    library, and nothing here could be tried with it. For its text alone use `TransformersPipelineNode("any-to-any",
    model="Qwen/Qwen2.5-Omni-3B")`, for more a `Node` of your own that loads the model in `initialize`.
    """

    is_streaming = True

    def __init__(
        self,
        model_id: str = "Qwen/Qwen2.5-Omni-3B",
        device: str | int | None = None,
        torch_dtype: str = "auto",
        attn_implementation: str | None = None,
        conversation_template: list[dict[str, Any]] | None = None,
        buffer_duration_s: float = 5.0,
        video_fps: int = 10,
        audio_sample_rate: int = 16000,
        speaker: str | None = None,
        use_audio_in_video: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_id = model_id
        self.device: str = checked_device(device)
        self.torch_dtype = torch_dtype
        self.attn_implementation = attn_implementation
        self.conversation_template: list[dict[str, Any]] = conversation_template or []
        self.buffer_duration_s = buffer_duration_s
        self.video_fps = video_fps
        self.audio_sample_rate = audio_sample_rate
        self.speaker = speaker
        self.use_audio_in_video = use_audio_in_video

    def initialize(self) -> Any:
        """Refuses."""
        raise NodeError(
            "Qwen2_5OmniNode is not available in this version: use TransformersPipelineNode('any-to-any', "
            f"model={self.model_id!r}) for its text, or a Node of your own that loads the model"
        )

    def process(self, data: Any) -> Any:
        """Refuses too."""
        return self.initialize()
