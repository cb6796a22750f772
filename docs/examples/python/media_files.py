"""Media files in and out: `python media_files.py IN OUT`, any format that FFmpeg reads and writes. `pip install av`."""

import sys
import time
from pathlib import Path

import av

from remotemedia import Pipeline
from remotemedia.nodes import AudioTrackSource, AudioTransform, MediaReaderNode, MediaWriterNode

here = Path(__file__).parent
source, target = sys.argv[1:] if len(sys.argv) == 3 else (here.parent / "speech/speech.wav", Path("speech.flac"))

pipeline = Pipeline([
    MediaReaderNode(source, track="audio"),
    AudioTrackSource(),  # (samples, sample_rate)
    AudioTransform(output_sample_rate=44100, output_channels=2),
    MediaWriterNode(target),
])
began = time.perf_counter()
pipeline.run_sync()
took = time.perf_counter() - began

with av.open(str(target)) as file:
    audio = file.streams.audio[0]
    seconds = sum(frame.samples for frame in file.decode(audio)) / audio.rate
    print(f"{target}: {audio.codec.name}, {audio.rate} Hz, {audio.channels} channels, {seconds:.2f} s")
print("faster than it plays" if took < seconds else "slower than it plays")
