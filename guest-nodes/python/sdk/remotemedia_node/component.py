"""Between the component's exports and an author's `Node`: parses params, converts packets, derives the descriptor.

componentize-py takes the class `Node` of the author's module for the component; `export` puts it there. Without
componentize-py there is no `wit_world`, and `export` only checks the class.
"""

import gc
import json
import sys
import traceback

from remotemedia_node.audio import FLOAT32, INT16, INT32, Audio
from remotemedia_node.errors import KINDS, NodeError
from remotemedia_node.node import Node
from remotemedia_node.packet import DTYPES, Json, Outputs, Packet, Tensor
from remotemedia_node.params import parse, schema

try:
    from componentize_py_types import Err
    from wit_world.imports import types as wit
except ImportError:
    wit = None

_FORMATS = (INT16, INT32, FLOAT32)
_KINDS = ("audio", "text", "json", "tensor", "bytes", "any")


def export(node_class):
    """Makes `node_class` the node of the component. Use it once, in the module that componentize-py is given."""
    if not (isinstance(node_class, type) and issubclass(node_class, Node)):
        raise TypeError(f"export takes a subclass of remotemedia_node.Node, not {node_class!r}")
    describe(node_class)
    if wit is not None:
        component = Component(node_class)
        # componentize-py makes an object for every call; all must be the same.
        sys.modules[node_class.__module__].Node = type("Node", (), {"__new__": lambda cls: component})
        # What was imported so far is part of the build. A collector that looked at it would touch all of its memory in
        # the middle of some call, and every instance would have a copy of its own.
        gc.collect()
        gc.freeze()
    return node_class


def describe(node_class):
    """What the class says about itself, checked."""
    name = node_class.__name__
    if not node_class.node_type:
        raise TypeError(f'{name}.node_type is missing: it is the name that manifests use, for example "tremolo"')
    for attribute in ("inputs", "outputs"):
        for port, kind in getattr(node_class, attribute).items():
            if kind not in _KINDS:
                raise TypeError(f"{name}.{attribute}[{port!r}] is {kind!r}, must be one of {', '.join(_KINDS)}")
    return {
        "node_type": node_class.node_type,
        "version": node_class.version,
        "summary": (node_class.__doc__ or "").strip().partition("\n")[0],
        "inputs": list(node_class.inputs.items()),
        "outputs": list(node_class.outputs.items()),
        "params_schema": schema(node_class.params),
        "stateless": bool(node_class.stateless),
    }


class Component:
    """What componentize-py calls: the component's one node."""

    def __init__(self, node_class):
        self.node_class = node_class
        self._node = None
        self._out = Outputs(node_class.outputs)

    def describe(self):
        described = describe(self.node_class)
        for attribute in ("inputs", "outputs"):
            described[attribute] = [wit.Port(name, wit.PayloadKind(_KINDS.index(kind))) for name, kind in described[attribute]]
        described["params_schema"] = json.dumps(described["params_schema"])
        return wit.Descriptor(**described)

    def initialize(self, params_json):
        self._node = _reported(self._make, params_json)

    def process(self, port, packet):
        return self._emitted(lambda node: node.process(port, from_wit(packet), self._out))

    def flush(self):
        return self._emitted(lambda node: node.flush(self._out))

    def cleanup(self):
        node, self._node = self._node, None
        if node is not None:
            _reported(node.cleanup)

    def _make(self, params_json):
        node = self.node_class()
        node.initialize(parse(self.node_class.params, params_json))
        return node

    def _emitted(self, verb):
        if self._node is None:
            raise Err(wit.NodeError(wit.ErrorKind.INTERNAL, "called before `initialize`"))
        try:
            _reported(verb, self._node)
            return _reported(lambda: [wit.Output(port, to_wit(packet)) for port, packet in self._out.emitted])
        finally:
            # What a failed call emitted is not sent, nor kept for the next one.
            self._out.take()


def _reported(verb, *arguments):
    """Calls `verb`; what it raises becomes the host's error. MemoryError is left to end the instance: the limit it
    ran into is the host's to name."""
    try:
        return verb(*arguments)
    except NodeError as error:
        raise Err(wit.NodeError(wit.ErrorKind(KINDS.index(error.kind)), error.message)) from None
    except MemoryError:
        raise
    except Exception as error:
        shown = "".join(traceback.format_exception(error)).rstrip()
        raise Err(wit.NodeError(wit.ErrorKind.INTERNAL, f"{type(error).__name__}: {error}\n{shown}")) from None


def from_wit(packet):
    """A packet as the author sees it."""
    payload = packet.payload
    if isinstance(payload, wit.Payload_Audio):
        audio = payload.value
        value = Audio.from_bytes(audio.sample_rate, audio.channels, _FORMATS[audio.format.value], audio.data)
        value.pts_ns = packet.pts_ns
    elif isinstance(payload, wit.Payload_Json):
        value = Json(json.loads(payload.value))
    elif isinstance(payload, wit.Payload_Tensor):
        tensor = payload.value
        value = Tensor(tuple(DTYPES)[tensor.dtype.value], tuple(tensor.shape), tensor.data)
    else:
        value = payload.value
    return Packet(packet.pts_ns, value)


def to_wit(packet):
    """A packet as it crosses the boundary."""
    value = packet.payload
    if isinstance(value, Audio):
        format = wit.SampleFormat(_FORMATS.index(value.format))
        payload = wit.Payload_Audio(wit.Audio(format, value.sample_rate_hz, value.channels, value.to_bytes()))
    elif isinstance(value, str):
        payload = wit.Payload_Text(value)
    elif isinstance(value, Json):
        payload = wit.Payload_Json(json.dumps(value.value, allow_nan=False, ensure_ascii=False))
    elif isinstance(value, Tensor):
        dtype = wit.Dtype(tuple(DTYPES).index(value.dtype))
        payload = wit.Payload_Tensor(wit.Tensor(dtype, list(value.shape), bytes(value.data)))
    else:
        payload = wit.Payload_Bytes(bytes(value))
    return wit.Packet(packet.pts_ns, payload)
