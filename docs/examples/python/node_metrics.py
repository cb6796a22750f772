"""Metrics: which node takes the time?"""

import numpy as np

from remotemedia import Node, Pipeline
from remotemedia.nodes import AudioResampleNode


class Spectrum(Node):
    def process(self, data):
        samples, rate = data
        return np.abs(np.fft.rfft(samples[0]))


class Loudest(Node):
    def process(self, data):
        return int(np.argmax(data))


pipeline = Pipeline([AudioResampleNode(16000), Spectrum(), Loudest()], enable_metrics=True)
second = np.sin(2 * np.pi * 1000 * np.arange(48000) / 48000, dtype=np.float32)[np.newaxis]
peaks = pipeline.run_sync([(second, 48000)] * 20)

print(f"the loudest frequency is {peaks[0]} Hz")
print(f"{'node':20} {'calls':>5} {'failed':>6} {'mean':>9}")
for node in pipeline.get_metrics()["node_metrics"]:
    print(f"{node['node_id']:20} {node['execution_count']:5} {node['error_count']:6} {node['avg_duration_us']:6.0f} us")
