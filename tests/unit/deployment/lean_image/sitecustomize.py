"""Loaded by Python at its start: refuses the imports that RISKEE_TEST_REFUSED names, as an image without them would."""

import json
import os
import sys
from importlib.abc import MetaPathFinder

_REFUSED = frozenset(json.loads(os.environ.get("RISKEE_TEST_REFUSED", "[]")))


class _Refusal(MetaPathFinder):
    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] in _REFUSED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, _Refusal())
