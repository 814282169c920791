"""What is in each image, as CycloneDX: `make sbom` writes `build/sbom-<image>.json`. Needs no network."""

import subprocess
import sys
from pathlib import Path

from infra.deployment.locks import ROOT, path_of, roots

FOLDER = ROOT / "build"


def write_sbom(image: str, folder: Path) -> Path:
    """Write the SBOM of an image, made from its lock: names, versions, hashes. Gives the file.

    Raises CalledProcessError where cyclonedx-py refuses the lock.
    """
    folder.mkdir(exist_ok=True)
    file = folder / f"sbom-{image}.json"
    command = [
        sys.executable, "-m", "cyclonedx_py", "requirements", str(path_of(image)), "--output-reproducible",
        "--output-format", "JSON", "--output-file", str(file), "--pyproject", str(ROOT / "pyproject.toml"),
    ]  # fmt: skip
    subprocess.run(command, check=True)  # noqa: S603 (its arguments are ours)
    return file


if __name__ == "__main__":
    for each in roots():
        print(write_sbom(each, FOLDER))  # noqa: T201
