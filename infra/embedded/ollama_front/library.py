"""The models on disk, as Ollama lists and shows them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.embedded.ollama_front.gguf import quantisation, read_metadata
from infra.embedded.ollama_front.refusal import ApiError
from riskee.blobs.weights import WeightsEntry, read_index


class Library:
    """The folder with the index of models; read anew on every request, so an installed model is there at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, model: str) -> Path:
        """The GGUF file of a model. Raises ApiError: 404 for an unknown one, 500 when its file is gone."""
        return Path(self._entry(model).path)

    def listing(self) -> list[dict[str, Any]]:
        """`models` of `/api/tags`."""
        return [self.describe(name) for name in sorted(read_index(self._folder))]

    def describe(self, model: str) -> dict[str, Any]:
        """One model of a listing. Raises ApiError as `find` does."""
        entry = self._entry(model)
        file = Path(entry.path)
        status = file.stat()
        return {
            "name": full_name(model),
            "model": full_name(model),
            "modified_at": datetime.fromtimestamp(status.st_mtime, UTC).isoformat(),
            "size": status.st_size,
            "digest": entry.sha256,
            "details": _details(read_metadata(file)),
        }

    def show(self, model: str) -> dict[str, Any]:
        """`/api/show`."""
        described = self.describe(model)
        entry = self._entry(model)
        metadata = read_metadata(Path(entry.path))
        return {
            "license": entry.license,
            "modelfile": f"FROM {entry.path}\n",
            "template": metadata.get("tokenizer.chat_template", ""),
            "modified_at": described["modified_at"],
            "details": described["details"],
            "model_info": {key: value for key, value in metadata.items() if not key.startswith("tokenizer.")},
            "capabilities": ["completion"],
        }

    def _entry(self, model: str) -> WeightsEntry:
        index = {full_name(name): entry for name, entry in read_index(self._folder).items()}
        if full_name(model) not in index:
            raise ApiError(404, f"model '{model}' not found")
        entry = index[full_name(model)]
        if not Path(entry.path).exists():
            raise ApiError(500, f"the weights of '{model}' are gone from {entry.path}")
        return entry


def full_name(model: str) -> str:
    """The name with its tag, `latest` when none is given."""
    return model if ":" in model else f"{model}:latest"


def _details(metadata: dict[str, Any]) -> dict[str, Any]:
    family = metadata.get("general.architecture", "unknown")
    return {
        "format": "gguf",
        "family": family,
        "families": [family],
        "parameter_size": metadata.get("general.size_label", "unknown"),
        "quantization_level": quantisation(metadata),
    }
