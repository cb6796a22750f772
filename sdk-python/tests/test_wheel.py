"""What is installed: its metadata, what the native module needs of the system, and that numpy is all it needs beside it."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from importlib import metadata
from pathlib import Path

import numpy
from auditwheel.wheel_abi import analyze_wheel_abi
from elftools.elf.elffile import ELFFile

import remotemedia
import remotemedia.nodes
from remotemedia import _remotemedia_runtime

GUESTS = Path(__file__).resolve().parents[2] / "target/guests"
NATIVE = Path(_remotemedia_runtime.__file__)


def wheel():
    """The file that .ci/python-wheel.sh has installed."""
    [file] = Path(remotemedia.__file__).parents[2].glob("remotemedia-*.whl")
    return file


def test_there_is_one_version():
    assert metadata.version("remotemedia") == remotemedia.__version__ == _remotemedia_runtime.__version__


def test_numpy_is_the_only_dependency_and_the_rest_are_extras():
    about = metadata.metadata("remotemedia")
    assert about["Requires-Python"] == ">=3.10"
    assert about["License-Expression"] == "Apache-2.0"
    requirements = metadata.requires("remotemedia")
    assert [text for text in requirements if "extra ==" not in text] == ["numpy"]
    extras = {}
    for text in requirements[1:]:
        name, extra = re.fullmatch(r"([\w-]+) ; extra == '(\w+)'", text).groups()
        extras.setdefault(extra, set()).add(name)
    assert extras == {
        "audio": {"soundfile", "soxr", "av"},
        "yaml": {"pyyaml"},
        "ml": {"onnxruntime", "silero-vad"},
        "torch": {"torch"},
        "ray": {"ray"},
        "notebook": {"notebook", "tqdm"},
        "dev": {"hypothesis", "mypy", "pytest"},
    }
    assert set(about.get_all("Provides-Extra")) == set(extras)


def test_types_and_licence_are_in_the_package():
    files = {str(file) for file in metadata.files("remotemedia")}
    for name in ("remotemedia/py.typed", "remotemedia_runtime/py.typed", "remotemedia/_remotemedia_runtime.pyi"):
        assert name in files
    assert any(name.endswith("/licenses/LICENSE") for name in files)


def test_one_wheel_serves_every_python_from_3_10_on_and_links_none():
    assert NATIVE.name == "_remotemedia_runtime.abi3.so"
    assert wheel().name.startswith("remotemedia-0.1.0-cp310-abi3-")
    with NATIVE.open("rb") as file:
        needed = {tag.needed for tag in ELFFile(file).get_section_by_name(".dynamic").iter_tags("DT_NEEDED")}
    assert all(re.match(r"(libc|libm|libgcc_s|ld-linux-[\w-]+)\.so\.", name) for name in needed), needed


def test_it_needs_the_glibc_that_the_documents_name():
    looked = analyze_wheel_abi(None, None, wheel(), frozenset(), disable_isa_ext_check=False, allow_graft=False)
    found = looked.overall_policy.name
    glibc = int(re.fullmatch(r"manylinux_2_(\d+)_\w+", found)[1])
    text = (Path(__file__).resolve().parents[2] / "docs/python-sdk.md").read_text(encoding="utf-8")
    named = int(re.search(r"glibc 2\.(\d+) or newer", text)[1])
    assert glibc <= named, "name the newer glibc in docs/python-sdk.md, or build on an older system"


def test_type_checkers_see_every_node():
    source = Path(remotemedia.nodes.__file__).read_text(encoding="utf-8")
    imported = re.findall(r"^    from remotemedia\.nodes\.[\w.]+ import (\w+) as \1$", source, re.MULTILINE)
    assert set(remotemedia.nodes.__all__) <= set(imported)


PROGRAM = """
import numpy as np
from remotemedia import Pipeline
from remotemedia.nodes import AddNode, WasmNode
audio = np.ones((1, 4), np.float32), 16000
[samples] = [Pipeline([WasmNode({gain!r}, gain_db=20)]).run_sync(audio)[0]]
assert np.allclose(samples, 10), samples
print(Pipeline([AddNode(addend=1)]).run_sync(2))
"""


def test_a_fresh_environment_needs_the_wheel_and_numpy_only(tmp_path):
    venv.create(tmp_path / "env")
    python = tmp_path / "env/bin/python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel()]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "REMOTEMEDIA"))}
    environment |= {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def run(*arguments):
        done = subprocess.run(arguments, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(*install)
    # The index may be out of reach: numpy is taken from here.
    site = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path / "env")}))
    for part in ("numpy", "numpy.libs"):
        source = Path(numpy.__file__).parents[1] / part
        if source.exists():
            (site / part).symlink_to(source)
    assert run(python, "-c", PROGRAM.format(gain=str(GUESTS / "gain.wasm"))) == "3\n"
    assert run(tmp_path / "env/bin/remotemedia", "--version") == "remotemedia 0.1.0\n"
    shutil.rmtree(tmp_path / "cache")
    assert "gain" in run(python, "-m", "remotemedia", "nodes", "describe", GUESTS / "gain.wasm")
