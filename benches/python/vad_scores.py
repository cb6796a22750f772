"""How good the voice activity detectors are on the labelled set: Silero's network and the native engines.

    PYTHONPATH=target/wheel/site .venv/bin/python benches/python/vad_scores.py [--seed 1] [--set DIR]

Makes the set of tests/media/make_vad_set.py (12.5 minutes; needs espeak-ng), or reads it from DIR, runs every detector
over it in chunks of 30 ms, and prints JSON. Per detector:

- segment_f1: of its segments, in steps of 10 ms, as tests/vad_labelled_set.rs counts; also by noise and by level
- frame_f1, auc: of its windows' probabilities, each against what is true in the middle of the window; F1 at 0.5. Only
  for Silero: Python pipelines do not see the native node's port for frames. cargo test prints the native AUC.
- us_per_30ms: the time of the pipeline per 30 ms of audio, everything included; the best of three runs over a recording
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, roc_auc_score

from remotemedia import Node, Pipeline
from remotemedia.nodes import NativeNode, SileroVADNode

GENERATOR = Path(__file__).resolve().parents[2] / "tests/media/make_vad_set.py"
RATE_HZ = 16000
STEP_NS = 10_000_000
CHUNK = RATE_HZ * 30 // 1000
#: Half of the window of 32 ms that a frame speaks about.
HALF_WINDOW_NS = 16_000_000

Spans = list[tuple[int, int]] | tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Recording:
    """Mono samples at 16 kHz, and where speech truly is, in ns."""

    noise: str
    snr_db: int
    samples: NDArray[np.float32]
    segments: Spans


@dataclass(frozen=True)
class Detection:
    """Segments in ns, and (time in ns, probability) of every window; None where there are none."""

    segments: Spans
    frames: list[tuple[int, float]] | None


def read_set(folder: Path) -> list[Recording]:
    """The set that the generator wrote."""
    index = json.loads((folder / "set.json").read_text(encoding="utf-8"))
    recordings = []
    for entry in index["recordings"]:
        with wave.open(str(folder / entry["file"])) as reader:
            samples = np.frombuffer(reader.readframes(reader.getnframes()), "<i2")
        segments = tuple((segment["start_ns"], segment["end_ns"]) for segment in entry["segments"])
        recordings.append(Recording(entry["noise"], entry["snr_db"], samples.astype(np.float32) / 32768, segments))
    return recordings


def run(node: Node, recording: Recording) -> list[Any]:
    """What the node gives for the recording, in chunks of 30 ms."""
    samples = recording.samples[np.newaxis]
    chunks = [(samples[:, begin : begin + CHUNK], RATE_HZ) for begin in range(0, samples.shape[1], CHUNK)]
    out = Pipeline([node]).run_sync(chunks)
    return [] if out is None else out if isinstance(out, list) else [out]


def segments_of(node: Node, recording: Recording) -> Spans:
    return [(segment["start_ns"], segment["end_ns"]) for segment in run(node, recording)]


def detect_silero(recording: Recording) -> Detection:
    """Segments by its own default rules, and frames."""
    frames = run(SileroVADNode(output="frames"), recording)
    timed = [(frame["pts_ns"] + HALF_WINDOW_NS, frame["probability"]) for frame in frames]
    return Detection(segments_of(SileroVADNode(output="segments"), recording), timed)


def detect_native(engine: str) -> Callable[[Recording], Detection]:
    """Segments of the native node."""
    return lambda recording: Detection(segments_of(NativeNode("VAD", engine=engine), recording), None)


def inside(spans: Spans, times_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the times lie in a span."""
    covered = np.zeros(times_ns.shape, np.bool_)
    for start, end in spans:
        covered |= (start <= times_ns) & (times_ns < end)
    return covered


def score(recordings: list[Recording], detections: list[Detection]) -> dict[str, Any]:
    """The scores over all recordings."""
    truth, said = [], []
    frame_truth, probabilities = [], []
    for recording, detection in zip(recordings, detections, strict=True):
        steps = recording.samples.size * 1_000_000_000 // RATE_HZ // STEP_NS
        middles = np.arange(steps, dtype=np.int64) * STEP_NS + STEP_NS // 2
        truth.append(inside(recording.segments, middles))
        said.append(inside(detection.segments, middles))
        if detection.frames is not None:
            frame_truth.append(inside(recording.segments, np.array([time for time, _ in detection.frames])))
            probabilities.append(np.array([probability for _, probability in detection.frames]))
    scored: dict[str, Any] = {"segment_f1": float(f1_score(np.concatenate(truth), np.concatenate(said)))}
    for name in ("noise", "snr_db"):
        kinds = [getattr(recording, name) for recording in recordings]
        if len(set(kinds)) > 1:
            chosen = {kind: [number for number, other in enumerate(kinds) if other == kind] for kind in kinds}
            scored[f"segment_f1_by_{name}"] = {
                str(kind): float(f1_score(np.concatenate([truth[n] for n in some]), np.concatenate([said[n] for n in some])))
                for kind, some in chosen.items()
            }
    if probabilities:
        labels, values = np.concatenate(frame_truth), np.concatenate(probabilities)
        scored["frame_f1"] = float(f1_score(labels, values >= 0.5))
        scored["auc"] = float(roc_auc_score(labels, values))
    return scored


def us_per_30ms(make: Callable[[], Node], recording: Recording) -> float:
    """The pipeline's time per 30 ms of audio, in µs."""
    best = float("inf")
    for _ in range(3):
        node = make()
        begin = time.perf_counter()
        run(node, recording)
        best = min(best, time.perf_counter() - begin)
    return best / (recording.samples.size / CHUNK) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", type=Path, metavar="DIR")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = arguments.set or Path(made)
        if arguments.set is None:
            subprocess.run([sys.executable, str(GENERATOR), "--out", made, "--seed", str(arguments.seed)], check=True)
        recordings = read_set(folder)
    report: dict[str, Any] = {"seed": arguments.seed, "recordings": len(recordings), "detectors": {}}
    detectors: dict[str, tuple[Callable[[Recording], Detection], Callable[[], Node]]] = {
        "silero": (detect_silero, lambda: SileroVADNode(output="segments")),
        "energy": (detect_native("energy"), lambda: NativeNode("VAD", engine="energy")),
        "earshot": (detect_native("earshot"), lambda: NativeNode("VAD", engine="earshot")),
    }
    for name, (detect, make) in detectors.items():
        scored = score(recordings, [detect(recording) for recording in recordings])
        report["detectors"][name] = {**scored, "us_per_30ms": us_per_30ms(make, recordings[0])}
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
