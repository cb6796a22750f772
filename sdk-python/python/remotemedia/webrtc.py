"""WebRTC connections, which this version does not make: making a manager says what to do instead."""

from __future__ import annotations

from typing import Any

from remotemedia.core.exceptions import WebRTCError

__all__ = ["WebRTCManager"]


class WebRTCManager:
    """A WebRTC connection. Raises `WebRTCError` when it is made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise WebRTCError(
            "WebRTCManager: this version has no WebRTC. Frames that a WebRTC library such as aiortc receives go through "
            "`pipeline.process(stream)`, where AudioTrackSource and VideoTrackSource take {'audio': frame} and {'video': frame}"
        )
