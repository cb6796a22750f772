"""The class that authors write."""

from remotemedia_node.audio import Audio
from remotemedia_node.errors import NodeError
from remotemedia_node.packet import Packet, kind_of


class Node:
    """One running node. Override `audio` for audio in, audio out; override `process` for everything else.

    What the host reads before it runs a node are class attributes: `node_type` (the name in manifests), `version`,
    `inputs` and `outputs` (port name to "audio", "text", "json", "tensor", "bytes" or "any", in the order of their
    numbers), `params` (a dataclass, or None), `stateless` (a promise that a call depends on its own input only). The
    first line of the docstring is the summary for people.
    """

    node_type = ""
    version = "0.1.0"
    inputs = {"in": "audio"}
    outputs = {"out": "audio"}
    params = None
    stateless = False

    def initialize(self, params):
        """Called once, before the first packet, with an object of the class `params`."""

    def process(self, port, packet, out):
        """Takes a packet on the input port of that number and emits any number of packets with `out.push(packet)` or
        `out.push_to("port", packet)`."""
        if not isinstance(packet.payload, Audio):
            raise NodeError.invalid_input(f"takes audio, got {kind_of(packet.payload)}")
        self.audio(packet.payload)
        out.push(Packet(packet.pts_ns, packet.payload))

    def audio(self, audio):
        """Changes a block of audio in place. Blocks have any length, also 0 or 1 frame."""
        raise NotImplementedError(f"{type(self).__name__} defines neither `audio` nor `process`")

    def flush(self, out):
        """The end of the stream: emits what the node still held back."""

    def cleanup(self):
        """The last call, also after an error."""
