"""The process that compiles a component. The native module starts this file by its path, isolated from all packages:

    python -I -S -B _compiler.py NATIVE_MODULE compile-component ...
"""

import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader


def main() -> int:
    """Loads the native module by its path, and runs the verb that follows in it."""
    name = "_remotemedia_runtime"
    loader = ExtensionFileLoader(name, sys.argv[1])
    spec = spec_from_loader(name, loader)
    assert spec is not None  # it is given a loader
    native = module_from_spec(spec)
    loader.exec_module(native)
    status: int = native.main(sys.argv[2:])
    return status


if __name__ == "__main__":
    sys.exit(main())
