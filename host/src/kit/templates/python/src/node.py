"""The node `{{name}}`: scales audio by a gain in decibels."""

from array import array
from dataclasses import dataclass

from remotemedia_node import Node, export, param


@dataclass
class Params:
    """The params of a manifest: what users see in `remotemedia node inspect`."""

    gain_db: float = param(
        0.0, minimum=-150.0, maximum=150.0, description="Gain in dB: 0 changes nothing, 6.02 doubles the amplitude."
    )


@export
class Gain(Node):
    """Scales audio by a gain in decibels."""

    node_type = "{{name}}"
    params = Params
    stateless = True

    def initialize(self, params):
        self.factor = 10.0 ** (params.gain_db / 20.0)

    def audio(self, audio):
        """Blocks have any length: results must not depend on how the stream was cut."""
        factor = self.factor
        samples = audio.samples
        samples[:] = array("f", [sample * factor for sample in samples.tolist()])
