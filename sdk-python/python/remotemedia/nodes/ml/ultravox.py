"""Speech to an answer by Ultravox, through the library transformers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from remotemedia.core.exceptions import NodeError
from remotemedia.core.node import Node
from remotemedia.nodes.ml.devices import checked_device, choose_device
from remotemedia.nodes.ml.libraries import load_pipeline, require
from remotemedia.nodes.ml.recorder import SPEECH_RATE_HZ, mono_of, speech_of
from remotemedia.nodes.ml.whisper import torch_dtype as dtype_of


class UltravoxNode(Node):
    """Answers every item of audio: `(text,)`, or nothing where the model says nothing.

    An item is what somebody said, whole: put a voice activity detector before the node that gives segments. `model_id` is a
    name of the Hugging Face hub or the path of a folder; `device` as for `WhisperTranscriptionNode`. `torch_dtype` is for CUDA;
    other devices compute in float32.

    These models bring their own Python code, which transformers runs with your rights: take them from where you trust, and pin
    them with `revision`.
    """

    is_streaming = True

    def __init__(
        self,
        model_id: str = "fixie-ai/ultravox-v0_5-llama-3_2-1b",
        device: str | int | None = None,
        torch_dtype: str = "bfloat16",
        max_new_tokens: int = 16382,
        system_prompt: str = "You are a friendly and helpful AI assistant.",
        revision: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_id = model_id
        self.device: str = checked_device(device)
        self.torch_dtype = torch_dtype
        self.max_new_tokens = max_new_tokens
        self.system_prompt = system_prompt
        self.revision = revision
        #: The pipeline of transformers, while the node is initialized.
        self.llm_pipeline: Any = None

    def initialize(self) -> Any:
        """Loads the model and its code."""
        torch = require("torch", type(self).__name__, "torch transformers peft")
        device = choose_device(torch, self.device)
        self.llm_pipeline = load_pipeline(
            type(self).__name__,
            "transformers peft",
            model=self.model_id,
            revision=self.revision,
            device=device,
            dtype=dtype_of(torch, self.torch_dtype, device),
            trust_remote_code=True,
        )
        return super().initialize()

    async def process(self, data: Any) -> AsyncGenerator[tuple[str], None]:
        """`data` is the stream of `(samples, sample_rate)`."""
        async for item in data:
            mono, rate_hz = mono_of(item, self.name)
            text = self._answer(speech_of(mono, rate_hz)) if mono.size else ""
            if text:
                yield (text,)

    def cleanup(self) -> Any:
        """Lets go of the model."""
        self.llm_pipeline = None
        return super().cleanup()

    def _answer(self, audio: Any) -> str:
        turns = [{"role": "system", "content": self.system_prompt}]
        asked = {"audio": audio, "turns": turns, "sampling_rate": SPEECH_RATE_HZ}
        result = self.llm_pipeline(asked, max_new_tokens=self.max_new_tokens)
        if isinstance(result, list) and result and isinstance(result[0], dict):
            result = result[0].get("generated_text")
        if not isinstance(result, str):
            raise NodeError(f"{self.name}: the model {self.model_id} answered with {type(result).__name__}, not with text")
        return result.strip()
