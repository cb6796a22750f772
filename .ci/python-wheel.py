"""Packs the Python package with a native module that cargo has built into a wheel, and installs that.

    .venv/bin/python .ci/python-wheel.py target/debug/lib_remotemedia_runtime.so target/wheel

The wheel is for the Python that runs this, which must be the one that the module was built for. It is unpacked into
FOLDER/site by pip: put that on PYTHONPATH to use it.
"""

import base64
import hashlib
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "sdk-python/python"
VERSION = "0.1.0"
METADATA = f"""\
Metadata-Version: 2.1
Name: remotemedia
Version: {VERSION}
Summary: Media pipelines of native, WebAssembly and Python nodes.
License: Apache-2.0
Requires-Python: >=3.10
Requires-Dist: numpy
"""


def contents(library: Path, tag: str) -> dict[str, bytes]:
    """Every file of the wheel but its record."""
    sources = (path for path in sorted(PACKAGE.rglob("*")) if path.suffix in (".py", ".pyi") or path.name == "py.typed")
    files = {path.relative_to(PACKAGE).as_posix(): path.read_bytes() for path in sources}
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    files[f"remotemedia/_remotemedia_runtime{suffix}"] = library.read_bytes()
    wheel = f"Wheel-Version: 1.0\nGenerator: remotemedia\nRoot-Is-Purelib: false\nTag: {tag}\n"
    files[f"remotemedia-{VERSION}.dist-info/METADATA"] = METADATA.encode()
    entry_points = b"[pytest11]\nremotemedia = remotemedia.pytest_plugin\n"
    files[f"remotemedia-{VERSION}.dist-info/entry_points.txt"] = entry_points
    files[f"remotemedia-{VERSION}.dist-info/WHEEL"] = wheel.encode()
    return files


def pack(library: Path, folder: Path) -> Path:
    """Writes the wheel and returns its path."""
    python = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    tag = f"{python}-{python}-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
    files = contents(library, tag)
    record = f"remotemedia-{VERSION}.dist-info/RECORD"
    lines = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(data)}")
    files[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    wheel = folder / f"remotemedia-{VERSION}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return wheel


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    library, folder = Path(sys.argv[1]), Path(sys.argv[2])
    if not library.is_file():
        sys.exit(f"{library} is not there: build it with `cargo build --workspace --lib`")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    wheel = pack(library, folder)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*install, "--target", str(folder / "site"), str(wheel)], check=True)
    print(wheel)


if __name__ == "__main__":
    main()
