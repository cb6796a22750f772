"""What the tests share."""

import pytest
from hypothesis import settings

# The same examples in every run: what fails here fails everywhere. No files are left behind.
settings.register_profile("same", derandomize=True, database=None, deadline=None)
settings.load_profile("same")


@pytest.fixture(params=["python_cpu", "rust_inprocess_ffi"])
def mode(request):
    """Every mode that must give the same results."""
    return request.param
