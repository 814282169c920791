"""What a check of `riskee doctor` found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """What a check found. A warning does not make the doctor fail."""

    name: str
    state: State
    version: str = ""
    detail: str = ""
    remedy: str = ""
    milliseconds: float = 0.0
