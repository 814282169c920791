"""Serving processes stay small."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("service", ["ingest", "predict", "record", "explain"])
def test_a_service_loads_neither_pandas_nor_scikit_learn(service: str) -> None:
    code = f"import serving.consumers.{service}, sys; print(*({{'pandas', 'sklearn', 'torch'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
