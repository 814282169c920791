"""The digest that says which code trained a model."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import riskee
from riskee import provenance
from riskee.provenance import modules_of, source_digest, training_code


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of two modules."""
    folder = tmp_path / "made_up_package"
    folder.mkdir()
    for name in ("__init__", "first", "second"):
        (folder / f"{name}.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    sys.modules.pop("made_up_package", None)


def test_the_digest_follows_the_source_and_the_texts(package: Path) -> None:
    modules = modules_of("made_up_package")
    assert modules == ["made_up_package.first", "made_up_package.second"]
    before = source_digest(modules)
    assert source_digest(modules) == before
    assert source_digest(modules, "a text") != before
    (package / "second.py").write_text("changed = True")
    assert source_digest(modules) != before


def test_a_wrong_name_is_an_error(package: Path) -> None:
    with pytest.raises(ModuleNotFoundError):
        source_digest(["made_up_package.third"])
    with pytest.raises(ModuleNotFoundError):
        modules_of("made_up_package.first")


def test_the_training_code_names_the_release_and_changes_with_a_module(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = training_code()
    assert real.startswith(f"{riskee.__version__}+")
    assert {"riskee.features.kernel", "riskee.model.training"} <= set(
        modules_of("riskee.features") + modules_of("riskee.model")
    )
    monkeypatch.setattr(provenance, "TRAINING_PACKAGES", ("made_up_package",))
    made = training_code()
    (package / "first.py").write_text("changed = True")
    assert len({real, made, training_code()}) == 3
