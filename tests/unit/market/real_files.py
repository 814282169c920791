"""The folder of real market files that some tests read; without it they are skipped, which the run's end says."""

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).parents[4] / "shared" / "data"
_NAMED = os.environ.get("RISKEE_TEST_DATA")

# What the variable names, else what lies beside the repository. A folder that is named must be there.
DATA = Path(_NAMED) if _NAMED else _BESIDE

needs_real_files = pytest.mark.skipif(
    not _NAMED and not _BESIDE.is_dir(), reason="RISKEE_TEST_DATA names no folder of real market files"
)
