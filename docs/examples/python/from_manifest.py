"""A manifest: the same file runs in Python and by `remotemedia run pipeline.json -i recording.wav`."""

from pathlib import Path

import numpy as np

from remotemedia import Pipeline

pipeline = Pipeline.from_manifest(Path(__file__).parent / "pipeline.json")
for node in pipeline.plan():
    print(f"{node['node_id']}: {node['runtime']}")

half_seconds = [0.0, 0.05, 0.25]
samples = np.repeat(np.float32(half_seconds), 4000)[np.newaxis]
print(pipeline.run_sync((samples, 8000)))
