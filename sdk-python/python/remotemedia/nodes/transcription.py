"""Speech to text by libraries of their own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from remotemedia.core.exceptions import NodeError
from remotemedia.core.node import Node
from remotemedia.nodes.ml.libraries import require
from remotemedia.nodes.ml.recorder import SPEECH_RATE_HZ, mono_of, speech_of


class WhisperXTranscriber(Node):
    """Transcribes every item of audio with the library whisperx (`pip install whisperx`).

    Gives `{"text", "segments", "language", "audio_duration", "sample_rate"}`, with the duration in seconds and the rate of
    what came in. With `align_model` and a `language` the segments have times of words. Audio of any rate and number of
    channels is understood; an item is what was said, whole. The model is loaded when the pipeline starts; whisperx may
    download it.
    """

    is_streaming = True

    def __init__(
        self,
        model_size: str = "base",
        device: str = "cpu",
        compute_type: str = "float32",
        batch_size: int = 16,
        language: str | None = None,
        align_model: bool = False,
        vad_onset: float = 0.500,
        vad_offset: float = 0.363,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_size = model_size
        self.device = device
        self.compute_type = compute_type
        self.batch_size = batch_size
        self.language = language
        self.align_model = align_model
        self.vad_onset = vad_onset
        self.vad_offset = vad_offset
        #: What whisperx loaded, while the node is initialized.
        self.model: Any = None
        self._whisperx: Any = None
        self._alignment: Any = None

    def initialize(self) -> Any:
        """Loads the model."""
        self._whisperx = require("whisperx", type(self).__name__, "whisperx")
        self.model = self._whisperx.load_model(
            self.model_size,
            device=self.device,
            compute_type=self.compute_type,
            language=self.language,
            vad_options={"vad_onset": self.vad_onset, "vad_offset": self.vad_offset},
        )
        if self.align_model and self.language:
            self._alignment = self._whisperx.load_align_model(language_code=self.language, device=self.device)
        return super().initialize()

    async def process(self, data: Any) -> AsyncGenerator[dict[str, Any], None]:
        """`data` is the stream of `(samples, sample_rate)`, or of dicts with "audio_data" (or "audio") and "sample_rate"."""
        async for item in data:
            if isinstance(item, dict):
                item = (item.get("audio_data", item.get("audio")), item.get("sample_rate", SPEECH_RATE_HZ))
            yield self._transcribed(item)

    def cleanup(self) -> Any:
        """Lets go of the model."""
        self.model = self._alignment = None
        return super().cleanup()

    def _transcribed(self, item: Any) -> dict[str, Any]:
        mono, rate_hz = mono_of(item, self.name)
        speech = speech_of(mono, rate_hz)
        result = self.model.transcribe(speech, batch_size=self.batch_size, language=self.language)
        language = result.get("language", self.language)
        if self._alignment is not None:
            model, metadata = self._alignment
            result = self._whisperx.align(
                result["segments"], model, metadata, speech, device=self.device, return_char_alignments=False
            )
        segments = result.get("segments", [])
        return {
            "text": result.get("text") or "".join(segment.get("text", "") for segment in segments),
            "segments": segments,
            "language": language,
            "audio_duration": mono.size / rate_hz,
            "sample_rate": rate_hz,
        }


class RustWhisperTranscriber(Node):
    """Not available: it was a native node of old builds, which this host has not. A pipeline with it cannot be started, and
    says so. `WhisperTranscriptionNode` and `WhisperXTranscriber` transcribe."""

    def __init__(
        self,
        model_path: str | None = None,
        model_source: str | None = None,
        language: str | None = None,
        n_threads: int = 4,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_path = model_path
        self.model_source = model_source
        self.language = language
        self.n_threads = n_threads

    def initialize(self) -> Any:
        """Refuses."""
        raise NodeError(
            "RustWhisperTranscriber is not available: this host has no native Whisper; use WhisperTranscriptionNode (needs "
            "transformers and torch) or WhisperXTranscriber (needs whisperx)"
        )

    def process(self, data: Any) -> Any:
        """Refuses too."""
        return self.initialize()
