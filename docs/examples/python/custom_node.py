"""A node of your own: a fade-in that goes on from piece to piece. test_custom_node.py tests it."""

import numpy as np

from remotemedia import Node, Pipeline


class FadeIn(Node):
    """Rises from silence to full level, linearly, within the first `duration_ms` of the stream."""

    def __init__(self, duration_ms: float = 500.0, **kwargs):
        super().__init__(**kwargs)
        if duration_ms <= 0:
            raise ValueError(f"duration_ms {duration_ms} must be more than 0")
        self.duration_ms = duration_ms

    def initialize(self):
        self.position = 0  # a new stream begins

    def process(self, data):
        samples, rate = data
        times_ms = (self.position + np.arange(samples.shape[1])) * 1000 / rate
        self.position += samples.shape[1]
        return samples * np.minimum(times_ms / self.duration_ms, 1).astype(np.float32), rate


if __name__ == "__main__":
    pieces = [(np.ones((1, 800), np.float32), 8000)] * 6  # 100 ms each
    for number, (samples, rate) in enumerate(Pipeline([FadeIn(duration_ms=400)]).run_sync(pieces)):
        print(f"{number * 100} ms: {samples[0, 0]:.2f} to {samples[0, -1]:.2f}")
