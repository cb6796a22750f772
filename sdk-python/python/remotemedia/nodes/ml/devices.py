"""Where torch computes: the device that was asked for, or why it cannot be."""

from __future__ import annotations

import re
from typing import Any

from remotemedia.core.exceptions import ConfigurationError, NodeError

_KNOWN = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


class DeviceError(NodeError):
    """The device that was asked for is not there. The message says what is missing."""

    remotemedia_kind = "unavailable"


def checked_device(device: str | int | None) -> str:
    """The name of a device: "auto" for None, "cuda:N" for a number, "cpu" for -1, as transformers counts.

    Raises `ConfigurationError` for what names none. Whether the device is there is asked when a pipeline starts.
    """
    if device is None:
        return "auto"
    if isinstance(device, int) and not isinstance(device, bool):
        device = f"cuda:{device}" if device >= 0 else "cpu"
    if not isinstance(device, str) or not _KNOWN.fullmatch(device):
        raise ConfigurationError(f"device {device!r} must be 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps'")
    return device


def choose_device(torch: Any, device: str) -> str:
    """The device that `checked_device` named, for torch. "auto" is the first CUDA device, else MPS, else the CPU.

    Raises `DeviceError`.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return "cuda:0"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    missing = None
    if device == "mps":
        missing = _lacks_mps(torch)
    elif device != "cpu":
        missing = _lacks_cuda(torch, int(device.partition(":")[2] or 0))
    if missing is not None:
        raise DeviceError(f"device {device!r}: {missing}; device='auto' takes what there is, here {choose_device(torch, 'auto')!r}")
    return device


def _lacks_cuda(torch: Any, number: int) -> str | None:
    # ROCm's torch calls its devices cuda too.
    if torch.version.cuda is None and torch.version.hip is None:
        return f"torch {torch.__version__} was built without CUDA: install one that has it"
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} finds no GPU or no driver for it (`nvidia-smi` shows both)"
    count = torch.cuda.device_count()
    return f"there are {count} of them, counted from 0" if number >= count else None


def _lacks_mps(torch: Any) -> str | None:
    if not torch.backends.mps.is_built():
        return f"torch {torch.__version__} was built without MPS, which is for macOS"
    return None if torch.backends.mps.is_available() else "it needs macOS 12.3 and an Apple GPU"
