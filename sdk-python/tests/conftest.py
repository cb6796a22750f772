"""What the tests share."""

import pytest
from hypothesis import settings

# The same examples in every run: what fails here fails everywhere. No files are left behind.
settings.register_profile("same", derandomize=True, database=None, deadline=None)
settings.load_profile("same")


@pytest.fixture
def mode(pipeline_mode):
    """Every mode that must give the same results, as the package's own plugin for pytest has them."""
    return pipeline_mode
