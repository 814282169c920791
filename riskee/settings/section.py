"""What every branch of the tree of settings is."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_settings import NoDecode


class Section(BaseModel):
    """A branch of the tree."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _listed(value: object) -> object:
    """`AAPL,MSFT` as a list; what is none stays as it is, for pydantic to judge."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


# Texts that a variable lists with commas between them.
Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
