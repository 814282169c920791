"""Which code made something: digests of source files."""

import hashlib
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import riskee

# What a trained model depends on: the definitions of its features and all of the model's own package.
TRAINING_PACKAGES = ("riskee.features", "riskee.model")


def source_digest(modules: Iterable[str], *texts: str) -> str:
    """Twelve hex digits that change with the source of these modules, or with the texts.

    Modules are read, not imported. Raises ModuleNotFoundError for a wrong name.
    """
    digest = hashlib.sha256()
    for module in modules:
        spec = find_spec(module)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(module)
        digest.update(Path(spec.origin).read_bytes())
    for text in texts:
        digest.update(text.encode())
    return digest.hexdigest()[:12]


def modules_of(package: str) -> list[str]:
    """The modules right below a package, by name. Raises ModuleNotFoundError for a wrong name."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(package)
    files = Path(spec.submodule_search_locations[0]).glob("*.py")
    return sorted(f"{package}.{file.stem}" for file in files if file.stem != "__init__")


def training_code() -> str:
    """The version of the code that trains: the release, and the digest of its modules' source."""
    modules = [module for package in TRAINING_PACKAGES for module in modules_of(package)]
    return f"{riskee.__version__}+{source_digest(modules)}"
