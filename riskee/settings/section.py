"""What every branch of the tree of settings is."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A branch of the tree."""

    model_config = ConfigDict(frozen=True, extra="forbid")
