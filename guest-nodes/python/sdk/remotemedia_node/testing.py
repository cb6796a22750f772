"""Runs a node on your own machine, without a host and without building it."""

import json

from remotemedia_node.audio import Audio
from remotemedia_node.packet import Outputs, Packet
from remotemedia_node.params import parse


class Started:
    """A node that was initialized. Its calls return what it emitted, as a list of (port, packet)."""

    def __init__(self, node):
        self.node = node
        self._out = Outputs(node.outputs)

    def process(self, payload, port=0, pts_ns=0):
        """Runs one payload through the node."""
        self.node.process(port, Packet(pts_ns, payload), self._out)
        return self._out.take()

    def audio(self, samples, sample_rate_hz=48_000, channels=1):
        """Runs a block of audio through a node that gives audio; returns the samples as a list."""
        [(_, packet)] = self.process(Audio(sample_rate_hz, channels, samples))
        return packet.payload.samples.tolist()

    def flush(self):
        """Ends the stream."""
        self.node.flush(self._out)
        return self._out.take()


def start(node_class, /, **params):
    """An initialized node with these params, checked as a manifest's are."""
    node = node_class()
    node.initialize(parse(node_class.params, json.dumps(params)))
    return Started(node)
