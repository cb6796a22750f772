"""The node `gain`: scales audio by a gain in decibels. It does not clip; integer formats saturate when they are
written back."""

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

    node_type = "gain"
    params = Params
    stateless = True

    def initialize(self, params):
        # Rounded to a C float once, so that every product is rounded once too.
        self.factor = array("f", [10.0 ** (params.gain_db / 20.0)])[0]

    def audio(self, audio):
        """Packets have any length: results must not depend on how the stream was cut."""
        factor = self.factor
        samples = audio.samples
        samples[:] = array("f", [sample * factor for sample in samples.tolist()])
