"""`python3 -m unittest` in this folder, with sdk on PYTHONPATH: the mend of a small component, byte by byte. That the
mended runtime does not leak is what the conformance check `memory` shows."""

import hashlib
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from remotemedia_node.mend import FORGETFUL, NotMended, mend

POP = b"\x12wit_dylib_pop_list"
FREE = b"\x17wit_dylib_dealloc_bytes"
TWO_BODIES = b"\x04\x00\x41\x00\x0b" b"\x02\x00\x0b"
CODE = b"\x02" + TWO_BODIES
# Calls function 1, and where an address was written, function 2.
ADDED = bytes.fromhex(
    "27"  # 39 bytes
    "01017f"  # one i32
    "200020012002" "1001" "2103"  # local 3 = call 1 (local 0, local 1, local 2)
    "2002280200" "0440"  # if i32.load (local 2)
    "2000" "2002280200" "2003" "4101" "4101" "1002"  # call 2 (local 0, i32.load (local 2), local 3, 1, 1)
    "0b" "2003" "0b"
)  # fmt: skip


def section(kind, content):
    assert len(content) < 0x4000
    return bytes([kind, len(content) & 0x7F | 0x80, len(content) >> 7]) + content


def module(functions, pop, code, shortest=False):
    """The module `(type 0: i32 i32 i32 -> i32)`, `(type 1: five i32 -> nothing)`, a table, a memory, a global and a
    function imported, functions 1 and 2 of its own."""
    put = shortest_section if shortest else section
    return b"\0asm\1\0\0\0" + b"".join(
        [
            put(1, bytes.fromhex("02" "60037f7f7f017f" "60057f7f7f7f7f00")),
            put(2, bytes.fromhex("04" "0165017401700001" "0165016d02010110" "01650167037f01" "016501660001")),
            put(0, b"\x01nfirst"),
            put(3, functions),
            put(7, b"\x03" + POP + b"\x00" + pop + FREE + b"\x00\x02" + b"\x01m\x02\x00"),
            put(10, code),
            put(0, b"\x01nlast"),
        ]
    )  # fmt: skip


def shortest_section(kind, content):
    return section(kind, content) if len(content) >= 0x80 else bytes([kind, len(content)]) + content


def component(*modules):
    named = shortest_section(0, b"\x01nname")
    return b"\0asm\x0d\0\1\0" + b"".join(shortest_section(1, each) for each in modules) + named


LEAKS = module(b"\x02\x00\x01", b"\x01", CODE)
OTHER = b"\0asm\1\0\0\0" + shortest_section(7, b"\x01" + POP + b"\x00\x00")
KNOWN = {hashlib.sha256(CODE).hexdigest()}


class MendTest(unittest.TestCase):
    def test_a_function_of_the_same_type_takes_the_place_of_the_one_that_forgets(self):
        mended = module(b"\x03\x00\x01\x00", b"\x03", b"\x03" + TWO_BODIES + ADDED, shortest=True)
        self.assertEqual(mend(component(OTHER, LEAKS), KNOWN), component(OTHER, mended))

    def test_what_is_not_known_to_leak_is_left_alone(self):
        for built, words in [
            (component(LEAKS), "another than that of componentize-py 0.25.1"),
            (mend(component(LEAKS), KNOWN), "or it is mended already"),
            (component(OTHER), "holds 0 Python runtimes"),
            (component(LEAKS, LEAKS), "holds 2 Python runtimes"),
            (LEAKS, "no WebAssembly component"),
            (b"", "no WebAssembly component"),
        ]:
            with self.assertRaisesRegex(NotMended, words):
                mend(built)
        self.assertEqual({len(known) for known in FORGETFUL}, {64})

    def test_the_command_writes_nothing_when_it_fails(self):
        with tempfile.TemporaryDirectory() as folder:
            built = Path(folder, "built.wasm")
            for content in [component(LEAKS), component(LEAKS)[:40]]:
                built.write_bytes(content)
                arguments = [sys.executable, "-m", "remotemedia_node.mend", built, "-o", Path(folder, "node.wasm")]
                done = subprocess.run(arguments, capture_output=True, text=True)
                self.assertEqual(done.returncode, 1)
                self.assertIn(f"{built}: ", done.stderr)
                self.assertNotIn("Traceback", done.stderr)
                self.assertEqual([path.name for path in Path(folder).iterdir()], ["built.wasm"])


if __name__ == "__main__":
    unittest.main()
