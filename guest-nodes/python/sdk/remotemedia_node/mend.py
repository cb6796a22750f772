"""Stops the leak of what componentize-py 0.25.1 builds. It runs after every build:

    python3 -m remotemedia_node.mend BUILT.wasm -o NODE.wasm

A component of componentize-py holds a module, its runtime, that turns Python values into what crosses the boundary. For
a `list<u8>`, which is how samples, tensors and bytes travel, the runtime's `wit_dylib_pop_list` allocates a copy of the
Python `bytes`, hands it to the host and forgets it: every packet that leaves costs its own size in memory, for good.
Other lists, strings and records are freed after the call, through `wit_dylib_dealloc_bytes`.

The mend puts a function before `wit_dylib_pop_list` which calls it and then says that the copy is to be freed like
everything else. Only the runtimes that are known to forget it are touched: one that remembered would free it twice.
"""

import argparse
import hashlib
import os
import sys

# SHA-256 of the runtime's code in the packages of componentize-py 0.25.1 for Linux, macOS and Windows.
FORGETFUL = frozenset(
    {
        "fc668fcf3efc89daecda94ea5c7536d9e5fae2769431f37b1c5cd9c233c64a99",
        "ec00db20a3d3220ff785992afedd858114bb3afbd270ac2de820b245933d3b74",
        "c100ed7627ed18e679f44fa990a954c348214a9b547398a7beb99095ba1cce4e",
    }
)
_COMPONENT, _MODULE = b"\0asm\x0d\0\1\0", b"\0asm\1\0\0\0"
_CORE_MODULE = 1  # a section of a component
_IMPORTS, _FUNCTIONS, _EXPORTS, _CODE = 2, 3, 7, 10  # sections of a module
_POP, _FREE = "wit_dylib_pop_list", "wit_dylib_dealloc_bytes"


class NotMended(Exception):
    """Why a component cannot be mended."""


def mend(component, forgetful=FORGETFUL):
    """The bytes of the component without the leak."""
    if not component.startswith(_COMPONENT):
        raise NotMended("it is no WebAssembly component")
    sections = list(_sections(component))
    found = [at for at, (kind, content) in enumerate(sections) if kind == _CORE_MODULE and _is_runtime(content)]
    if len(found) != 1:
        raise NotMended(f"it holds {len(found)} Python runtimes, a component of componentize-py holds one")
    sections[found[0]] = (_CORE_MODULE, _mend_runtime(sections[found[0]][1], forgetful))
    return _COMPONENT + _joined(sections)


def _is_runtime(module):
    exports = dict(_sections(module)).get(_EXPORTS)
    return exports is not None and {_POP, _FREE} <= {name for name, _, _ in _exports(exports)}


def _mend_runtime(module, forgetful):
    sections = list(_sections(module))
    content = dict(sections)
    if hashlib.sha256(content[_CODE]).hexdigest() not in forgetful:
        raise NotMended(
            "its Python runtime is another than that of componentize-py 0.25.1, for which the mend was made (or it is "
            "mended already): build it with `python3 -m pip install componentize-py==0.25.1`"
        )
    imported = _imported_functions(content[_IMPORTS])
    types = _Reader(content[_FUNCTIONS]).vector(_Reader.number)
    exports = _exports(content[_EXPORTS])
    functions = {name: index for name, _, index in exports}
    pop, added = functions[_POP], imported + len(types)
    changed = {
        _FUNCTIONS: _vector(map(_number, [*types, types[pop - imported]])),
        _EXPORTS: _vector(
            _text(name) + bytes([kind]) + _number(added if name == _POP else index) for name, kind, index in exports
        ),
        _CODE: _appended(content[_CODE], _pop_and_free(pop, functions[_FREE])),
    }
    return _MODULE + _joined((kind, changed.get(kind, content)) for kind, content in sections)


def _pop_and_free(pop, free):
    """The code of `(call, type, where) -> length`, which writes the list's address to `where`; 0 is no copy."""
    body = (
        b"\x01\x01\x7f"  # one local of type i32: the length
        b"\x20\x00\x20\x01\x20\x02\x10" + _number(pop) + b"\x21\x03"  # length = pop(call, type, where)
        b"\x20\x02\x28\x02\x00\x04\x40"  # if *where
        b"\x20\x00\x20\x02\x28\x02\x00\x20\x03\x41\x01\x41\x01\x10" + _number(free) +
        # ^ free(call, address: *where, bytes: length, alignment: 1, after the call: 1)
        b"\x0b\x20\x03\x0b"  # end, return the length
    )
    return _number(len(body)) + body


class _Reader:
    """Reads WebAssembly's binary format, one thing after the other."""

    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def number(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def bytes(self):
        length = self.number()
        self.at += length
        return self.data[self.at - length : self.at]

    def vector(self, read):
        return [read(self) for _ in range(self.number())]


def _sections(data):
    reader = _Reader(data, len(_MODULE))
    while reader.at < len(data):
        yield reader.byte(), reader.bytes()


def _joined(sections):
    return b"".join(bytes([kind]) + _number(len(content)) + content for kind, content in sections)


def _exports(content):
    return _Reader(content).vector(lambda reader: (reader.bytes().decode(), reader.byte(), reader.number()))


def _imported_functions(content):
    return sum(_Reader(content).vector(_is_function))


def _is_function(reader):
    """Reads one import."""
    reader.bytes()
    reader.bytes()
    kind = reader.byte()
    if kind == 1:  # a table: the type of its elements, then limits
        reader.byte()
    if kind in (1, 2):  # a memory has limits too
        for _ in range(1 + (reader.byte() & 1)):
            reader.number()
    elif kind == 3:  # a global: its type, and whether it changes
        reader.byte()
        reader.byte()
    elif kind == 0:
        reader.number()
    else:
        raise NotMended(f"its Python runtime imports something of the kind {kind}")
    return kind == 0


def _number(value):
    coded = bytearray()
    while value >= 0x80:
        coded.append(value & 0x7F | 0x80)
        value >>= 7
    coded.append(value)
    return bytes(coded)


def _text(text):
    return _number(len(text.encode())) + text.encode()


def _vector(items):
    items = list(items)
    return _number(len(items)) + b"".join(items)


def _appended(vector, item):
    reader = _Reader(vector)
    length = reader.number()
    return _number(length + 1) + vector[reader.at :] + item


def main():
    parser = argparse.ArgumentParser(prog="python3 -m remotemedia_node.mend", description=__doc__.partition("\n")[0])
    parser.add_argument("built", help="the component that componentize-py built")
    parser.add_argument("-o", "--output", required=True, help="where the mended one goes")
    arguments = parser.parse_args()
    try:
        with open(arguments.built, "rb") as file:
            mended = mend(file.read())
        # Whole or not at all.
        part = f"{arguments.output}.part"
        with open(part, "wb") as file:
            file.write(mended)
        os.replace(part, arguments.output)
    except (NotMended, OSError, IndexError) as error:
        sys.exit(f"remotemedia_node.mend: {arguments.built}: {error}")


if __name__ == "__main__":
    main()
