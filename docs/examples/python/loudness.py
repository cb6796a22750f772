"""The class that pipeline.json names. It needs no base class."""

import numpy as np


class Loudness:
    """The RMS level of each packet, in dB of full scale."""

    remotemedia_inputs = {"in": "audio"}
    remotemedia_outputs = {"out": "json"}

    def __init__(self, floor_dbfs: float = -80.0):
        self.floor_dbfs = floor_dbfs

    def process(self, data):
        samples, rate = data
        rms = float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))
        return {"rms_dbfs": round(max(self.floor_dbfs, 20 * float(np.log10(rms)) if rms > 0 else self.floor_dbfs), 1)}
