"""How a node is tested: `pytest test_custom_node.py`."""

import numpy as np
import pytest
from custom_node import FadeIn

from remotemedia.testing import assert_audio_close, run_node

RAMP = np.arange(800, dtype=np.float32)[np.newaxis] / 800


def test_the_level_rises_in_a_straight_line():
    pieces = run_node(FadeIn(duration_ms=100), [(np.ones((1, 400), np.float32), 8000)] * 2)
    assert_audio_close(np.concatenate([samples for samples, _ in pieces], axis=1), RAMP, snr_db=100)


@pytest.mark.parametrize("size", [1, 7, 800])
def test_how_the_stream_is_cut_does_not_matter(size):
    pieces = [(np.ones((1, min(size, 800 - at)), np.float32), 8000) for at in range(0, 800, size)]
    faded = run_node(FadeIn(duration_ms=100), pieces)
    assert_audio_close(np.concatenate([samples for samples, _ in faded], axis=1), RAMP, snr_db=100)


def test_a_duration_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="duration_ms 0"):
        FadeIn(duration_ms=0)
