"""`riskee settings`."""

from typing import TYPE_CHECKING

from riskee.cli.console import Json, print_json, print_table, styled

if TYPE_CHECKING:
    from pydantic import BaseModel


def settings(json: Json = False) -> None:
    """List every setting: variable, value here, meaning."""
    from riskee.cli.runtime import read_settings
    from riskee.reference import settings_rows

    current = values(read_settings(), "RISKEE_")
    rows = [(name, current[name], default, meaning) for name, default, meaning in settings_rows()]
    if json:
        print_json([dict(zip(("variable", "value", "default", "meaning"), row, strict=True)) for row in rows])
        return
    shown = (
        (name, value if value == default else styled(value, "bold"), meaning) for name, value, default, meaning in rows
    )
    print_table("", ("variable", "value (bold: not the default)", "meaning"), shown)


def values(tree: "BaseModel", prefix: str) -> dict[str, str]:
    """The value of each variable; secrets stay hidden."""
    from pydantic import BaseModel

    found: dict[str, str] = {}
    for name in type(tree).model_fields:
        value = getattr(tree, name)
        if isinstance(value, BaseModel):
            found |= values(value, f"{prefix}{name.upper()}__")
        else:
            found[f"{prefix}{name.upper()}"] = str(value)
    return found
