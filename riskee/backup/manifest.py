"""What a backup holds. It is written last: without it there is no backup."""

from datetime import datetime

import msgspec

from riskee.backup.errors import DamagedError

FORMAT = 1
ID_FORM = "%Y%m%dT%H%M%SZ"
# A backup without all systems is named so, and counts for no alert.
PARTIAL_SUFFIX = "-some"


class StoredObject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One object: its name in the backup, the size of its content, and size and SHA-256 of what is stored."""

    name: str
    content_bytes: int
    stored_bytes: int
    sha256: str


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was saved of one system, or why nothing was (`left_out`)."""

    system: str
    objects: tuple[StoredObject, ...] = ()
    # What was in it: rows by table, messages by stream, points by collection, keys.
    counts: dict[str, int] = {}
    # What a restore must know: versions, positions in the log.
    facts: dict[str, str] = {}
    seconds: float = 0.0
    left_out: str = ""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole backup."""

    format: int
    backup_id: str
    started_at: datetime
    finished_at: datetime
    product: str
    profile: str
    parts: tuple[Part, ...]

    @property
    def stored_bytes(self) -> int:
        """What it takes on the target."""
        return sum(one.stored_bytes for part in self.parts for one in part.objects)

    def part(self, system: str) -> Part | None:
        """What was saved of a system; None where nothing was."""
        return next((part for part in self.parts if part.system == system and not part.left_out), None)


def encode(manifest: Manifest) -> bytes:
    """As indented JSON."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2)


def decode(content: bytes) -> Manifest:
    """Raises DamagedError for what is no manifest of this format."""
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError as error:
        raise DamagedError(
            f"a manifest cannot be understood: {error}", "use the version of Riskee that made the backup"
        ) from error
    if manifest.format != FORMAT:
        raise DamagedError(
            f"backup {manifest.backup_id} has the format {manifest.format}, this version reads {FORMAT}",
            "use the version of Riskee that made it",
        )
    return manifest
