"""Write a RemoteMedia node in Python: a class with the four verbs, built into one `.wasm` by componentize-py.

    from dataclasses import dataclass
    from remotemedia_node import Node, export, param

    @dataclass
    class Params:
        factor: float = param(1.0, minimum=0.0, description="Amplitude factor; 1.0 changes nothing.")

    @export
    class Scale(Node):
        "Multiplies every sample."

        node_type = "scale"
        params = Params
        stateless = True

        def initialize(self, params):
            self.factor = params.factor

        def audio(self, audio):
            audio.map(lambda sample: sample * self.factor)

The SDK hides the bytes of the component boundary and needs nothing but the standard library: no numpy. On your own
machine, without a host, `remotemedia_node.testing.start(Scale, factor=0.5)` runs the node.
"""

from remotemedia_node import log, testing
from remotemedia_node.audio import FLOAT32, INT16, INT32, Audio
from remotemedia_node.errors import NodeError
from remotemedia_node.component import export
from remotemedia_node.node import Node
from remotemedia_node.packet import Json, Outputs, Packet, Tensor
from remotemedia_node.params import param

__version__ = "0.1.0"
__all__ = [
    "FLOAT32",
    "INT16",
    "INT32",
    "Audio",
    "Json",
    "Node",
    "NodeError",
    "Outputs",
    "Packet",
    "Tensor",
    "export",
    "log",
    "param",
    "testing",
]
