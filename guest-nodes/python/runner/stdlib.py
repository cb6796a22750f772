"""Python's standard library inside the component. At build time `collect` compiles every module that can run here;
the code is part of the snapshot that componentize-py takes, so that no file of the host is needed to import it.

It also says no to what cannot run here: a C extension becomes an ImportError that names it and says what to do.
"""

import importlib.machinery
import importlib.util
import marshal
import os
import sys
import zlib

# Needs a terminal, a display, a network, child processes, a C compiler or threads, or serves Python's own development.
_LEFT_OUT = frozenset(
    """__pycache__ _aix_support _android_support _apple_support _ios_support _osx_support _pyrepl antigravity bdb bz2
    cProfile compileall compression.bz2 compression.lzma compression.zstd config-3.14-wasm32-wasi ctypes curses dbm
    doctest ensurepip ftplib idlelib imaplib lib lzma mailbox multiprocessing netrc pdb poplib profile pstats pty
    pyclbr pydoc pydoc_data rlcompleter site-packages smtplib socketserver sqlite3 ssl subprocess tabnanny test this
    timeit tkinter trace tty turtle turtledemo venv webbrowser wsgiref xmlrpc zipapp""".split()
)
# Well-known packages that are, or stand on, C extensions. Others are recognised by their files.
_NATIVE = frozenset(
    """PIL av cffi cryptography ctypes cupy cv2 faiss google.protobuf grpc h5py jax jaxlib keras librosa llvmlite lxml
    matplotlib numba numpy onnxruntime pandas psutil pyarrow pydantic_core scipy sentencepiece sklearn soundfile
    soxr tensorflow tokenizers torch torchaudio torchvision transformers webrtcvad""".split()
)
_modules = {}  # name -> (is a package, compressed code)


def collect(folder, prefix="", shown="/python"):
    """Compiles what lies in `folder`; called at build time only."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        stem, dot, extension = entry.name.partition(".")
        name = prefix + stem
        if name in _LEFT_OUT or entry.name in _LEFT_OUT:
            continue
        if entry.is_dir() and os.path.exists(os.path.join(entry.path, "__init__.py")):
            _add(name, os.path.join(entry.path, "__init__.py"), f"{shown}/{stem}/__init__.py", True)
            collect(entry.path, name + ".", f"{shown}/{stem}")
        elif dot and extension == "py" and stem != "__init__":
            _add(name, entry.path, f"{shown}/{entry.name}", False)


def _add(name, path, shown, is_package):
    with open(path, "rb") as file:
        code = compile(file.read(), shown, "exec", dont_inherit=True)
    _modules[name] = (is_package, zlib.compress(marshal.dumps(code), 9))


class Finder:
    """Imports what `collect` found. It comes after the files of the node, as the standard library does."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        known = _modules.get(name)
        if known is None:
            return None
        return importlib.util.spec_from_loader(name, Finder, origin="/python", is_package=known[0])

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        name = module.__spec__.name
        exec(marshal.loads(zlib.decompress(_modules[name][1])), module.__dict__)

    @staticmethod
    def get_code(name):
        return marshal.loads(zlib.decompress(_modules[name][1]))


class NotSandboxable(ImportError):
    """A module that CPython in the sandbox cannot have."""


class Refuser:
    """The last finder: explains why a module that exists elsewhere does not exist here."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        top = name.partition(".")[0]
        if top in _NATIVE or name in _NATIVE or _is_extension(name, path):
            raise NotSandboxable(
                f"`{name}` is, or needs, a C extension, and the sandboxed CPython runs pure Python only: write "
                "`runtime_hint: cpython` for this node to run it unsandboxed, or ask the operator to allow falling "
                "back to cpython (REMOTEMEDIA_ALLOW_UNSANDBOXED_PYTHON=true)",
                name=name,
            )
        if name in _LEFT_OUT or top in _LEFT_OUT:
            raise NotSandboxable(
                f"`{name}` of the standard library is not there in the sandboxed CPython: it needs a network, other "
                "processes, a terminal or a C library",
                name=name,
            )
        return None


def _is_extension(name, path):
    stem = name.rpartition(".")[2]
    for folder in sys.path if path is None else path:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for found in names:
            if found.startswith(stem + ".") and found.endswith((".so", ".pyd", ".dylib")):
                return True
    return False
