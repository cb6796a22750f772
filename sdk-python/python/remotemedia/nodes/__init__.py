"""The Python nodes that a manifest may name without a module."""

from remotemedia.nodes.spectral import SpectralCentroid

__all__ = ["SpectralCentroid"]
