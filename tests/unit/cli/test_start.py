"""Starting the program: quick and light."""

import subprocess
import sys
import time

HEAVY = ("pandas", "dagster", "lightgbm", "torch", "sklearn", "sqlalchemy", "pydantic", "onnxruntime", "numpy")
# A budget in starts of Python itself, measured beside it, so that a busy machine does not matter.
SECONDS_BEYOND_BASELINE = 0.4


def _seconds(*arguments: str) -> float:
    def once() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        return time.perf_counter() - began

    return min(once() for _ in range(3))


def test_help_is_quick() -> None:
    baseline = _seconds("-c", "import typer, rich.table, rich.panel, rich.markdown")
    assert _seconds("-m", "riskee", "--help") < 2 * baseline + SECONDS_BEYOND_BASELINE


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import sys
sys.argv = ["riskee", "--help"]
from riskee.cli import main
try:
    main()
except SystemExit:
    pass
print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr.strip() == "[]"
    for command in (
        "up",
        "down",
        "status",
        "logs",
        "doctor",
        "predict",
        "explain",
        "watch",
        "replay",
        "data",
        "settings",
    ):
        assert f" {command} " in done.stdout
