"""The language model's weights: where they come from and the index by which the embedded LLM server finds them."""

from pathlib import Path

import msgspec

from riskee.blobs.manifest import MANIFEST
from riskee.blobs.store import Blobs, Progress
from riskee.errors import FatalError

INDEX_FILE = "index.json"
# Names as in Ollama's library, each with the blob that carries its weights.
DOWNLOADS = {"qwen2.5-coder:0.5b": "qwen2.5-coder-0.5b"}
_GGUF_MAGIC = b"GGUF"


class WeightsEntry(msgspec.Struct, frozen=True):
    """One model in the index. `sha256` is empty for a file that the user brought."""

    path: str
    sha256: str
    license: str


Index = dict[str, WeightsEntry]


def install_weights(
    blobs: Blobs, models: Path, model: str, local: Path | None = None, progress: Progress | None = None
) -> Path:
    """Make `model` available in the folder `models` and return its GGUF file.

    A `local` file is taken as it is, unpinned; otherwise the weights are downloaded and must match their pinned hash.
    Raises FatalError for a local file that is no GGUF file and for a model that has no download, and whatever
    `Blobs.ensure` raises.
    """
    if local is not None:
        entry = WeightsEntry(str(_checked(local)), sha256="", license="")
    elif model in DOWNLOADS:
        blob = MANIFEST[DOWNLOADS[model]]
        entry = WeightsEntry(str(blobs.ensure(blob.name, progress)), blob.sha256, blob.license)
    else:
        raise FatalError(
            f"there is no download for the language model {model!r}",
            f"choose one of {', '.join(DOWNLOADS)} or name a GGUF file in RISKEE_LLM__WEIGHTS",
        )
    models.mkdir(parents=True, exist_ok=True)
    index = {**read_index(models), model: entry}
    fresh = models / f"{INDEX_FILE}.new"
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(index)))
    fresh.replace(models / INDEX_FILE)
    return Path(entry.path)


def read_index(models: Path) -> Index:
    """The models in a folder, by name; empty when nothing was installed. Raises FatalError for a damaged index."""
    file = models / INDEX_FILE
    try:
        return msgspec.json.decode(file.read_bytes(), type=Index)
    except FileNotFoundError:
        return {}
    except msgspec.DecodeError as error:
        raise FatalError(f"{file} is damaged: {error}", "delete it; the next start writes it again") from error


def _checked(local: Path) -> Path:
    try:
        with local.open("rb") as stream:
            magic = stream.read(len(_GGUF_MAGIC))
    except OSError as error:
        raise FatalError(f"the weights {local} cannot be read: {error}", "mend RISKEE_LLM__WEIGHTS") from error
    if magic != _GGUF_MAGIC:
        raise FatalError(f"{local} is not a GGUF file", "name a GGUF file in RISKEE_LLM__WEIGHTS")
    return local.absolute()
