"""A stream: a level meter that is fed 20 ms at a time, as a microphone would.

A recording stands for the microphone here. With the package sounddevice it is a stream whose callback puts `indata` into an
asyncio.Queue, and `microphone` takes it out.
"""

import asyncio
import wave
from pathlib import Path

import numpy as np

from remotemedia import Node, Pipeline

RECORDING = Path(__file__).parent.parent / "speech/speech.wav"


async def microphone():
    with wave.open(str(RECORDING)) as file:
        rate = file.getframerate()
        while piece := file.readframes(rate // 50):
            yield np.frombuffer(piece, "<i2")[np.newaxis] / np.float32(32768), rate


class Meter(Node):
    """The peak of every second, and of what is left at the end."""

    def __init__(self):
        self.peak, self.frames = 0.0, 0

    def process(self, data):
        samples, rate = data
        self.peak = max(self.peak, float(np.abs(samples).max()))
        self.frames += samples.shape[1]
        return self.flush() if self.frames >= rate else None

    def flush(self):
        peak, self.peak, self.frames = self.peak, 0.0, 0
        return 20 * np.log10(peak) if peak > 0 else None


async def main():
    async with Pipeline([Meter()]) as pipeline:
        async for peak_dbfs in pipeline.process(microphone()):  # as soon as it is known
            print(f"{peak_dbfs:6.1f} dBFS {'#' * round(60 + peak_dbfs)}")


asyncio.run(main())
