"""A WebAssembly node: somebody else's component, sandboxed, among your own nodes.

    python wasm_gain.py path/to/gain.wasm

In this repository `make setup` builds the component that is the default.
"""

import sys
from pathlib import Path

import numpy as np

from remotemedia import Pipeline
from remotemedia.nodes import WasmNode

component = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[3] / "target/guests/gain.wasm"
pipeline = Pipeline([WasmNode(component, gain_db=-6)])

tone = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000, dtype=np.float32)[np.newaxis]
quieter, rate = pipeline.run_sync((tone, 16000))

for node in pipeline.plan():
    print(f"{node['node_id']} runs in the sandbox: {node['runtime'] == 'wasm'}")
print(f"peak before {tone.max():.4f}, after {quieter.max():.4f}: {20 * np.log10(quieter.max() / tone.max()):.2f} dB")
