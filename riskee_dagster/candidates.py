"""Where a trained model waits for its registration: a JSON file below Dagster's storage folder, never a pickle."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import msgspec

if TYPE_CHECKING:
    from riskee.model.training import TrainingResult


@dataclass(frozen=True)
class CandidateStore(dg.IOManager):
    """Hands training results from the asset that trains to the asset that registers."""

    folder: Path

    def handle_output(self, context: dg.OutputContext, obj: "TrainingResult") -> None:
        """Replace the file whole, so that a reader never sees a part."""
        file = self._file(context.asset_key)
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".tmp")
        temporary.write_bytes(msgspec.json.encode(obj))
        temporary.replace(file)
        context.add_output_metadata({"file": dg.MetadataValue.path(str(file))})

    def load_input(self, context: dg.InputContext) -> "TrainingResult":
        """The latest candidate. Raises Failure when there is none, or one of another version."""
        from riskee.model.training import TrainingResult

        file = self._file(context.asset_key)
        if not file.exists():
            name = context.asset_key.to_user_string()
            raise dg.Failure(f"there is no candidate {file} — materialise {name} first", allow_retries=False)
        try:
            return msgspec.json.decode(file.read_bytes(), type=TrainingResult)
        except msgspec.MsgspecError as error:
            name = context.asset_key.to_user_string()
            message = f"the candidate {file} cannot be read: {error} — materialise {name} again"
            raise dg.Failure(message, allow_retries=False) from error

    def _file(self, key: dg.AssetKey) -> Path:
        return self.folder.joinpath(*key.path).with_suffix(".json")


@dg.io_manager(description="Trained models on their way into the registry.")
def candidate_store(context: dg.InitResourceContext) -> CandidateStore:
    """The store of an instance."""
    if context.instance is None:
        raise dg.Failure("candidates are stored with a Dagster instance only")
    return CandidateStore(Path(context.instance.storage_directory()))
