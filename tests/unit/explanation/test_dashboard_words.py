"""The dashboard has words for each reason that an explanation may give, and for no other."""

import re
from typing import get_args

from riskee.explanation.support import FITS
from riskee.explanation.verification import COMMON_CHECKS, DRIVER_CHECKS, REPORT_CHECKS
from riskee.messaging.explanations import Fallback
from tests.conftest import REPOSITORY

# A label that no document has, or another document that says it.
SOURCE = "source"


def test_each_kind_of_refusal_has_words() -> None:
    assert _told("REFUSED") == {*COMMON_CHECKS, *REPORT_CHECKS, *DRIVER_CHECKS, *FITS, SOURCE}


def test_each_reason_for_the_template_has_words() -> None:
    assert _told("FALLBACKS") == set(get_args(get_args(Fallback)[0]))


def _told(table: str) -> set[str]:
    script = (REPOSITORY / "serving" / "dashboard" / "js" / "explanation.js").read_text()
    (words,) = re.findall(rf"const {table} = \{{(.*?)\}};", script, re.DOTALL)
    return set(re.findall(r"(\w+): \"", words))
