"""LightGBM, imported without its optional friends.

LightGBM tries to import pandas and scikit-learn, only to accept their types too. The product gives it NumPy arrays, and
a serving process would pay 100 MB and a second of CPU for nothing. `None` in `sys.modules` is Python's documented way
to say that a module cannot be imported; LightGBM then does without, and afterwards all can be imported as before. Where
one of the two is loaded already, as in Dagster, hiding it would save nothing: then it is left alone.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_OPTIONAL = ("pandas", "sklearn")


@contextmanager
def _without(names: tuple[str, ...]) -> Iterator[None]:
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with _without(_OPTIONAL):
    import lightgbm

__all__ = ["lightgbm"]
