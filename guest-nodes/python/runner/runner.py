"""Runs one Python class as a component: the class is named by the environment and found in folders that the host
mounts read-only. Nothing here differs from how the host's own CPython drives a class: `describe`, `drive`, `lookup` and
`report` are the very files of host/crates/python.

The environment: REMOTEMEDIA_CLASS is `module:Class` or a bare name of `remotemedia.nodes`, REMOTEMEDIA_STREAMING is `1`
for a node that the manifest declares to be streaming. /node holds the class's own modules, /packages/0, /packages/1, …
the operator's pure-Python packages. Without REMOTEMEDIA_CLASS it only says that it is a runner.

An error's message is one JSON object {kind, message, trace}, because the boundary has four kinds and one line.
"""

# What classes commonly import is imported here, once, when the component is built; importlib needs its metadata too.
import array
import asyncio
import base64
import collections.abc
import concurrent.futures
import contextlib
import copy
import dataclasses
import datetime
import decimal
import difflib
import enum
import fractions
import functools
import gc
import hashlib
import heapq
import importlib.metadata
import itertools
import json
import linecache
import logging
import math
import operator
import os
import pathlib
import queue
import random
import re
import statistics
import string
import struct
import sys
import textwrap
import threading
import time
import traceback
import types
import typing
import uuid

import stdlib
from componentize_py_types import Err
from event_loop import EventLoop
from values import to_output, to_python
from wit_world.imports import types as wit

_MACHINERY = ("<remotemedia", "/python/asyncio/", "<frozen ", os.path.dirname(__file__) + "/")
_SHIMS = {"describe": "describe.py", "drive": "remotemedia/core/loop.py", "lookup": "lookup.py", "report": "report.py"}
_MOST_MESSAGE_BYTES = 3_900
_ERROR_KINDS = {
    "invalid_params": wit.ErrorKind.INVALID_PARAMS,
    "invalid_input": wit.ErrorKind.INVALID_INPUT,
    "transient": wit.ErrorKind.TRANSIENT,
}
_DECLARED = {"invalid_params", "invalid_input", "transient", "timeout", "unavailable", "internal"}


def _shim(name):
    """One of the host's own modules, under the file name by which tracebacks leave it out."""
    module = types.ModuleType("_remotemedia_host_" + name)
    for folder in sys.path:
        path = os.path.join(folder, _SHIMS[name])
        if os.path.exists(path):
            with open(path) as file:
                exec(compile(file.read(), f"<remotemedia {name}>", "exec"), module.__dict__)
            return module
    raise ImportError(f"{_SHIMS[name]} is on none of {sys.path}")


# Everything down to `Node` happens once, when the component is built.
describe, drive, lookup, report = map(_shim, _SHIMS)
drive.asyncio.new_event_loop = EventLoop
lookup._how_to_install = (
    "pip install --target FOLDER {}, and have the operator name FOLDER in REMOTEMEDIA_PYTHON_PACKAGES".format
)
report._is_machinery = lambda frame: frame.filename.startswith(_MACHINERY)


def _bundle():
    """Takes the standard library and the package `remotemedia` into the component, and forgets the build's folders."""
    for folder in sys.path:
        if os.path.exists(os.path.join(folder, "encodings", "__init__.py")):
            stdlib.collect(folder)
        package = os.path.join(folder, "remotemedia")
        if os.path.exists(os.path.join(package, "core", "node.py")):
            stdlib._add("remotemedia", os.path.join(package, "__init__.py"), "<remotemedia package>/__init__.py", True)
            stdlib.collect(package, "remotemedia.", "<remotemedia package>")
    if "asyncio.base_events" not in stdlib._modules or "remotemedia.core.node" not in stdlib._modules:
        raise ImportError(f"the standard library or the package remotemedia is on none of {sys.path}")
    sys.path[:] = ["/python"]
    sys.path_importer_cache.clear()
    sys.meta_path += [stdlib.Finder, stdlib.Refuser]
    sys.dont_write_bytecode = True
    import remotemedia.core
    # What was imported here is shared by all instances: the collector need not look at it again.
    gc.collect()
    gc.freeze()


_bundle()


class NotAllowed(Exception):
    """A runner that was started without a class."""

    remotemedia_plain = True


class Running:
    """The class and its one object, behind the five verbs of the boundary."""

    def __init__(self):
        self._class = None
        self._instance = None
        self._process = None
        self._driver = None
        self._stream = None
        self._ports = []
        self._streaming = False
        self._last_pts_ns = 0

    def describe(self):
        named = os.environ.get("REMOTEMEDIA_CLASS")
        if named is None:
            return wit.Descriptor("python-runner", sys.version.split()[0], "Runs a Python class.", [], [], "{}", False)
        try:
            described = describe.describe(self._found())
        except BaseException as error:
            # `describe` has no error of its own at the boundary: it says so in place of the summary.
            return wit.Descriptor("error", "0", _explained(error, "describe"), [], [], "{}", False)
        schema = {**described["params_schema"], "x-remotemedia-heavy": described["heavy"]}
        ports = [
            [wit.Port(name, wit.PayloadKind[kind.upper()]) for name, kind in described[side]]
            for side in ("inputs", "outputs")
        ]
        return wit.Descriptor(
            "python-class", described["version"], described["summary"], *ports, json.dumps(schema), described["stateless"]
        )

    def initialize(self, params_json):
        self._guarded("construct", self._construct, json.loads(params_json))
        self._guarded("run", self._initialize)

    def process(self, port, packet):
        return self._guarded("run", self._run, port, packet)

    def flush(self):
        return self._guarded("run", self._flush)

    def cleanup(self):
        self._guarded("run", self._cleanup)

    def _found(self):
        if self._class is None:
            named = os.environ.get("REMOTEMEDIA_CLASS")
            if named is None:
                raise NotAllowed("this component runs Python classes for the host, and was given none")
            sys.path[:] = [*_packages(), "/python"]
            # What was drawn when the component was built is the same for every instance.
            random.seed()
            module, colon, class_name = named.partition(":")
            folder = "/node" if os.path.isdir("/node") else None
            self._class = (
                lookup.find_class(module, class_name, folder) if colon else lookup.find_builtin(named)
            )
            if self._class is None:
                raise lookup.NotFound(f"`remotemedia.nodes` has no class `{named}`")
        return self._class

    def _construct(self, params):
        node_class = self._found()
        ports = [name for name, _ in describe.describe(node_class)["inputs"]]
        self._ports = ports if len(ports) > 1 else []
        self._instance = node_class(**params)
        declared = bool(getattr(self._instance, "is_streaming", False))
        self._streaming = declared or os.environ.get("REMOTEMEDIA_STREAMING") == "1"

    def _initialize(self):
        self._call_optional("initialize")
        # A node may choose its `process` here.
        self._process = self._instance.process

    def _run(self, port, packet):
        self._last_pts_ns = pts_ns = packet.pts_ns
        value = to_python(packet)
        if self._streaming:
            return [to_output(*pair) for pair in self._open_stream().feed(pts_ns, value)]
        if self._ports:
            return self._outputs(self._process(value, port=self._ports[port]), pts_ns)
        return self._outputs(self._process(value), pts_ns)

    def _flush(self):
        outputs = []
        if self._streaming:
            outputs = [to_output(*pair) for pair in self._open_stream().end()]
        flush = getattr(self._instance, "flush", None)
        if flush is not None:
            outputs += self._outputs(flush(), self._last_pts_ns)
        return outputs

    def _cleanup(self):
        try:
            if self._instance is not None:
                self._call_optional("cleanup")
        finally:
            driver, self._driver, self._stream = self._driver, None, None
            if driver is not None:
                driver.close()

    def _outputs(self, returned, pts_ns):
        """What a method returned: nothing, one value, or all values of a generator, awaiting what must be."""
        kind = type(returned)
        if kind is types.GeneratorType:
            values = list(returned)
        elif kind is types.AsyncGeneratorType:
            values = self._loop().collect(returned)
        elif kind is types.CoroutineType:
            values = [self._loop().complete(returned)]
        else:
            values = [returned]
        return [to_output(pts_ns, value) for value in values if value is not None]

    def _call_optional(self, name):
        method = getattr(self._instance, name, None)
        if method is not None:
            returned = method()
            if type(returned) is types.CoroutineType:
                self._loop().complete(returned)

    def _loop(self):
        if self._driver is None:
            self._driver = drive.NodeLoop()
        return self._driver

    def _open_stream(self):
        if self._stream is None:
            self._stream = self._loop().open_stream(self._process)
        return self._stream

    def _guarded(self, verb, method, *arguments):
        try:
            return method(*arguments)
        except BaseException as error:
            kind = _kind(error, verb)
            raise Err(wit.NodeError(_ERROR_KINDS.get(kind, wit.ErrorKind.INTERNAL), _explained(error, verb))) from None


_running = Running()


class Node:
    """What componentize-py exports. It makes an object for every call; all are the same."""

    def __new__(cls):
        return _running


def _packages():
    """The folders that the host mounted; the one that holds them is not there itself."""
    number = 0
    while os.path.isdir(f"/packages/{number}"):
        yield f"/packages/{number}"
        number += 1


def _kind(error, verb):
    """The kind that `cpython` gives the same exception."""
    declared = getattr(error, "remotemedia_kind", "")
    if isinstance(declared, str) and declared in _DECLARED:
        return declared
    if verb == "describe" or isinstance(error, (ImportError, lookup.NotFound)):
        return "unavailable"
    if verb == "construct" and isinstance(error, (TypeError, ValueError)):
        return "invalid_params"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, MemoryError):
        return "limit_exceeded"
    return "cancelled" if isinstance(error, KeyboardInterrupt) else "internal"


def _explained(error, verb):
    """One line of JSON that fits into a message: what is too long loses its middle."""
    message, trace, _ = report.explain(error, _own_frames(error.__traceback__))
    said = {"kind": _kind(error, verb), "message": message, "trace": trace}
    for room in (3_000, 1_500, 600, 200):
        line = json.dumps(said)
        if len(line) <= _MOST_MESSAGE_BYTES:
            break
        said = {name: _shortened(text, room) for name, text in said.items()}
    return line


def _shortened(text, room):
    return text if len(text) <= room else f"{text[: room // 3]}\n[...]\n{text[-room * 2 // 3 :]}"


def _own_frames(frames):
    """The traceback below the frames of this module."""
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    return frames
