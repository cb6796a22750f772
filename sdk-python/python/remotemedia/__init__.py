"""RemoteMedia nodes in Python. The host imports node classes from `remotemedia.nodes` by bare name and from anywhere
else as `module:Class`."""

from remotemedia.core.node import Node

__version__ = "0.1.0"
__all__ = ["Node", "__version__"]
