"""The Silero model: a probability of speech for every window of 32 ms. It knows samples, not time and no rules."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remotemedia.core.exceptions import ConfigurationError
from remotemedia.nodes.ml.libraries import MissingLibraryError, require

#: Samples of a window, and of the context before it that the model sees too, by sample rate.
WINDOWS = {8000: (256, 32), 16000: (512, 64)}

_STATE_SHAPE = (2, 1, 128)


def weights_of_package() -> Path:
    """The model's file in the installed package `silero-vad`, which is not imported: it would import torch."""
    spec = importlib.util.find_spec("silero_vad")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        path = Path(folder) / "data" / "silero_vad.onnx"
        if path.is_file():
            return path
    raise MissingLibraryError(
        "SileroVADNode needs the weights of the package silero-vad: pip install --no-deps silero-vad (that is without "
        "torch, which it does not need here), or give model_path"
    )


@lru_cache(maxsize=4)
def _session(path: str) -> Any:
    """A model is loaded once per process: the state between windows is given with each call."""
    onnxruntime = require("onnxruntime", "SileroVADNode", "onnxruntime")
    options = onnxruntime.SessionOptions()
    # A window is too small to be worth sharing between threads.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class SileroModel:
    """One stream through the model."""

    def __init__(self, path: Path, sample_rate_hz: int) -> None:
        if not path.is_file():
            raise ConfigurationError(f"model_path: there is no file {path}")
        self._run = _session(str(path)).run
        self.window: int
        self.window, self._context = WINDOWS[sample_rate_hz]
        self._rate = np.array(sample_rate_hz, np.int64)
        self._state = np.zeros(_STATE_SHAPE, np.float32)
        # The context, and the window as far as it is filled.
        self._input = np.zeros((1, self._context + self.window), np.float32)
        self._filled = 0

    def push(self, samples: NDArray[np.float32]) -> list[float]:
        """Takes mono `samples` and gives the probability of every window that they complete."""
        probabilities = []
        done = 0
        while done < samples.size:
            taken = min(self.window - self._filled, samples.size - done)
            begin = self._context + self._filled
            self._input[0, begin : begin + taken] = samples[done : done + taken]
            self._filled += taken
            done += taken
            if self._filled == self.window:
                probabilities.append(self._judge())
        return probabilities

    def finish(self) -> list[float]:
        """The probability of the window that is partly filled, with silence after it; none where there is none."""
        return self.push(np.zeros(self.window - self._filled, np.float32)) if self._filled else []

    def _judge(self) -> float:
        inputs = {"input": self._input, "state": self._state, "sr": self._rate}
        output, self._state = self._run(None, inputs)
        self._input[0, : self._context] = self._input[0, -self._context :]
        self._filled = 0
        return float(output[0, 0])
