"""Writes docs/sizing.md. `python -m infra.sizing > docs/sizing.md`; a test compares the two."""

import sys

from infra.sizing.page import render

if __name__ == "__main__":
    sys.stdout.write(render())
