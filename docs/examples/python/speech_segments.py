"""A neural network as a node: where is speech in a recording? `pip install onnxruntime`, `pip install --no-deps silero-vad`."""

import sys
from pathlib import Path

from remotemedia import Pipeline
from remotemedia.nodes import AudioTrackSource, MediaReaderNode, NativeNode, SileroVADNode

recording = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "speech/speech.wav"

pipeline = Pipeline([
    MediaReaderNode(recording, track="audio"),
    AudioTrackSource(),
    NativeNode("ChannelMixer", output_channels=1),
    NativeNode("AudioResample", target_sample_rate=16000),
    SileroVADNode(output="segments"),
])

for segment in pipeline.run_sync():
    print(f"{segment['start_ns'] / 1e9:5.2f} s to {segment['end_ns'] / 1e9:5.2f} s, {segment['mean_probability']:.0%} sure")
