"""A graph: each second of a recording goes two ways, and what comes of both is put together again."""

from pathlib import Path

import numpy as np

from remotemedia import Node, Pipeline
from remotemedia.nodes import AudioBuffer, AudioTrackSource, MediaReaderNode, SpectralCentroid

RECORDING = Path(__file__).parent.parent / "speech/speech.wav"


class Level(Node):
    def process(self, data):
        samples, rate = data
        return 20 * np.log10(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))


class Row(Node):
    """One line per second, as soon as both halves of it are there."""

    remotemedia_inputs = {"level": "any", "colour": "any"}

    def __init__(self):
        self.halves = {}
        self.second = 0

    def process(self, data, port):
        self.halves[port] = data
        if len(self.halves) == 2:
            level, colour = self.halves.pop("level"), self.halves.pop("colour")
            self.second += 1
            return f"second {self.second:2}: {level:5.1f} dBFS, centre of the spectrum {colour['spectral_centroid_hz']:4.0f} Hz"


pipeline = Pipeline([MediaReaderNode(RECORDING), AudioTrackSource(), AudioBuffer(44100, name="seconds")])
pipeline.add_node(Level(), after="seconds")
pipeline.add_node(SpectralCentroid(), after="seconds")
pipeline.add_node(Row(), after={"level": "Level", "colour": "SpectralCentroid"})

print("\n".join(pipeline.run_sync()))
