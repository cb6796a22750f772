"""AudioResampleNode natively, by `run_sync`, against soxr HQ, in one process, call by call in turn. Prints JSON.

    PYTHONPATH=target/wheel/site python benches/python/resample.py

Needs a release build of the native module in the wheel (`make wheel`), numpy, and soxr from PyPI.
Times are the best of many calls with 10 s of noise, in microseconds; everything between Python and the engine is in ours.
"""

import json
import time
from collections.abc import Callable

import numpy as np
import soxr

import remotemedia
from remotemedia import Pipeline
from remotemedia.nodes import AudioResampleNode

SECONDS, CALLS = 10, 60
CASES = [(48000, 16000, 1), (48000, 16000, 2), (44100, 48000, 1), (16000, 48000, 1), (44100, 16000, 1)]


def best_us(functions: list[Callable[[], object]]) -> list[float]:
    """The best time of each, called in turn so that a busy moment meets all of them."""
    best = [float("inf")] * len(functions)
    for _ in range(CALLS):
        for index, function in enumerate(functions):
            began = time.perf_counter_ns()
            function()
            best[index] = min(best[index], (time.perf_counter_ns() - began) / 1000)
    return best


def measured(rate: int, target: int, channels: int) -> dict[str, object]:
    noise = (np.random.default_rng(1).random((channels, rate * SECONDS)) - 0.5).astype(np.float32)
    interleaved = noise[0] if channels == 1 else np.ascontiguousarray(noise.T)
    pipeline = Pipeline([AudioResampleNode(target)], mode="rust_inprocess_ffi")
    samples, _ = pipeline.run_sync((noise, rate))
    assert samples.shape == (channels, target * SECONDS)
    assert pipeline.plan()[0]["runtime"] == "native"
    ours, theirs = best_us(
        [
            lambda: pipeline.run_sync((noise, rate)),
            lambda: soxr.resample(interleaved, rate, target, quality="HQ"),
        ]
    )
    return {
        "input_rate_hz": rate, "output_rate_hz": target, "channels": channels,
        "ours_us": round(ours, 1), "soxr_hq_us": round(theirs, 1), "ratio": round(ours / theirs, 3),
    }  # fmt: skip


def main() -> None:
    versions = {"remotemedia": remotemedia.__version__, "soxr": soxr.__version__, "numpy": np.__version__}
    print(json.dumps({"seconds_of_audio": SECONDS, **versions, "cases": [measured(*case) for case in CASES]}, indent=2))


if __name__ == "__main__":
    main()
