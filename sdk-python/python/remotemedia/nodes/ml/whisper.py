"""Speech to text by Whisper, through the library transformers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from remotemedia.core.exceptions import ConfigurationError
from remotemedia.core.node import Node
from remotemedia.nodes.ml.devices import checked_device, choose_device
from remotemedia.nodes.ml.libraries import load_pipeline, require
from remotemedia.nodes.ml.recorder import SPEECH_RATE_HZ, Recorder


class WhisperTranscriptionNode(Node):
    """Transcribes a stream of audio, `buffer_duration_s` seconds at a time: `(text,)` for every stretch in which something
    was said, also for the last, shorter one.

    `model_id` is a name of the Hugging Face hub or the path of a folder with a Whisper model. `device` is "auto" (also None:
    CUDA, else MPS, else CPU), "cpu", "cuda", "cuda:N" or "mps". `torch_dtype` is for CUDA; other devices compute in float32.
    `generate_kwargs` are arguments of every generation, such as `{"language": "en"}`.

    Audio of any rate and number of channels is understood. A word at the border of two stretches may be cut: put a voice
    activity detector before the node, or take longer stretches. Whisper hears 30 s at once: a longer stretch is heard in
    overlapping pieces of `chunk_length_s`, of which transformers warns that it is experimental.
    """

    is_streaming = True

    def __init__(
        self,
        model_id: str = "openai/whisper-large-v3-turbo",
        device: str | int | None = None,
        torch_dtype: str = "float16",
        chunk_length_s: float = 30,
        buffer_duration_s: float = 5,
        generate_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, value in {"chunk_length_s": chunk_length_s, "buffer_duration_s": buffer_duration_s}.items():
            if not 0 < value < float("inf"):
                raise ConfigurationError(f"{name} {value!r} must be more than 0 seconds")
        self.model_id = model_id
        self.device: str = checked_device(device)
        self.torch_dtype = torch_dtype
        self.chunk_length_s = chunk_length_s
        self.buffer_duration_s = buffer_duration_s
        self.generate_kwargs: dict[str, Any] = dict(generate_kwargs or {})
        #: The pipeline of transformers, while the node is initialized.
        self.transcription_pipeline: Any = None

    def initialize(self) -> Any:
        """Loads the model."""
        torch = require("torch", type(self).__name__, "torch transformers")
        device = choose_device(torch, self.device)
        self.transcription_pipeline = load_pipeline(
            type(self).__name__,
            "transformers",
            task="automatic-speech-recognition",
            model=self.model_id,
            device=device,
            dtype=torch_dtype(torch, self.torch_dtype, device),
        )
        return super().initialize()

    async def process(self, data: Any) -> AsyncGenerator[tuple[str], None]:
        """`data` is the stream of `(samples, sample_rate)`."""
        recorder = Recorder(self.buffer_duration_s, self.name)
        async for item in data:
            for stretch in recorder.push(item):
                for text in self._heard(stretch):
                    yield (text,)
        for stretch in recorder.finish():
            for text in self._heard(stretch):
                yield (text,)

    def cleanup(self) -> Any:
        """Lets go of the model."""
        self.transcription_pipeline = None
        return super().cleanup()

    def _heard(self, stretch: Any) -> list[str]:
        # Chunks are for what is longer than the model hears at once.
        longer = {"chunk_length_s": self.chunk_length_s} if stretch.size > 30 * SPEECH_RATE_HZ else {}
        result = self.transcription_pipeline(
            {"raw": stretch, "sampling_rate": SPEECH_RATE_HZ}, generate_kwargs=dict(self.generate_kwargs), **longer
        )
        text = result["text"].strip()
        return [text] if text else []


def torch_dtype(torch: Any, name: str, device: str) -> Any:
    """torch's type called `name` on CUDA, float32 elsewhere. Raises `ConfigurationError` where there is none."""
    found = getattr(torch, name, None)
    if not isinstance(found, torch.dtype):
        raise ConfigurationError(f"torch_dtype {name!r} must be a type of torch, such as 'float16'")
    return found if device.startswith("cuda") else torch.float32
