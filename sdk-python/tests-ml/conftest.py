"""What the tests with torch share. They are a suite of their own, `make test-ml`: torch is some gigabytes."""

import os

import pytest

# Nothing here may ask the network.
os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(params=["python_cpu", "rust_inprocess_ffi"])
def mode(request):
    """Every mode that must give the same results."""
    return request.param
