"""Every false sentence goes, nearly every true one stays, and each check is needed for that."""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

import pytest

from riskee.explanation import prompt, support, verification
from riskee.explanation.verification import refuse_drivers, refuse_report
from tests.unit.explanation.adversarial.cases import FALSE, TRUE, Case

# Of the true sentences. Dropped are those on what others said, of what follows an `after`, and what may be said of
# another company than the one that is cited.
KEPT = 0.92


def let_through(case: Case) -> list[str]:
    """The sentences of an answer that no check refuses."""
    facts = case.facts
    passed = []
    for label, sentence in case.sentences():
        if label == prompt.REASON:
            refusal = refuse_drivers(sentence, prompt.leading_drivers(facts), facts)
        elif label in facts.labelled:
            refusal = refuse_report(sentence, facts.labelled[label], facts)
        else:
            continue  # no document has that label
        passed += [] if refusal else [sentence]
    return passed


@pytest.mark.parametrize("case", FALSE, ids=lambda case: case.id)
def test_a_false_sentence_is_refused(case: Case) -> None:
    assert let_through(case) == []


def test_true_sentences_stay() -> None:
    dropped = [case.id for case in TRUE if not let_through(case)]
    assert len(dropped) <= (1 - KEPT) * len(TRUE), dropped


def test_there_are_cases_of_every_kind() -> None:
    kinds = Counter(case.category for case in FALSE)
    assert len({case.id for case in (*FALSE, *TRUE)}) == len(FALSE) + len(TRUE)
    assert (sum(kinds.values()) >= 300, len(TRUE) >= 60) == (True, True)
    assert min(kinds.values()) >= 4, kinds
    for cases in (FALSE, TRUE):
        assert 0.2 < sum(case.held_back for case in cases) / len(cases) < 0.35


CHECKS = [
    *((verification, "COMMON_CHECKS", kind) for kind in verification.COMMON_CHECKS),
    *((verification, "REPORT_CHECKS", kind) for kind in verification.REPORT_CHECKS),
    *((verification, "DRIVER_CHECKS", kind) for kind in verification.DRIVER_CHECKS),
    *((support, "FITS", kind) for kind in support.FITS),
]


@pytest.mark.parametrize(("module", "table", "kind"), CHECKS, ids=lambda part: part if isinstance(part, str) else "")
def test_without_one_check_a_false_sentence_gets_through(
    module: object, table: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks: Mapping[str, object] = getattr(module, table)
    fewer = {name: check for name, check in checks.items() if name != kind}
    monkeypatch.setattr(module, table, MappingProxyType(fewer))
    assert any(let_through(case) for case in FALSE)
