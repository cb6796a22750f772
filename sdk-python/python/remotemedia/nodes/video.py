"""Places for video nodes: they keep their params and pass frames as they are. Subclass them and define `process`."""

from __future__ import annotations

from typing import Any

from remotemedia.core.node import Node


class VideoTransform(Node):
    """Gives back what it gets; `resolution` is kept for subclasses."""

    remotemedia_stateless = True

    def __init__(self, resolution: tuple[int, int] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.resolution = resolution

    def process(self, data: Any) -> Any:
        """`data` itself."""
        return data


class VideoBuffer(Node):
    """Gives back what it gets."""

    remotemedia_stateless = True

    def process(self, data: Any) -> Any:
        """`data` itself."""
        return data


class VideoResizer(Node):
    """Gives back what it gets; `target_resolution` is kept for subclasses."""

    remotemedia_stateless = True

    def __init__(self, target_resolution: tuple[int, int] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_resolution = target_resolution

    def process(self, data: Any) -> Any:
        """`data` itself."""
        return data
