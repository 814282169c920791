"""The dashboard has words for each kind of refusal that the checks know, and for no other."""

import re

from riskee.explanation.support import FITS
from riskee.explanation.verification import COMMON_CHECKS, DRIVER_CHECKS, REPORT_CHECKS
from tests.conftest import REPOSITORY

# A label that no document has, or another document that says it.
SOURCE = "source"


def test_each_kind_of_refusal_has_words() -> None:
    script = (REPOSITORY / "serving" / "dashboard" / "js" / "explanation.js").read_text()
    (table,) = re.findall(r"const REFUSED = \{(.*?)\};", script, re.DOTALL)
    told = set(re.findall(r"(\w+): \"", table))
    assert told == {*COMMON_CHECKS, *REPORT_CHECKS, *DRIVER_CHECKS, *FITS, SOURCE}
