"""What the declarations of all tables share."""

from sqlalchemy import Column, DateTime, Double, MetaData, Text

metadata = MetaData(
    naming_convention={"ix": "%(table_name)s_%(column_0_N_name)s_idx", "pk": "%(table_name)s_pkey"},
)
TIME = DateTime(timezone=True)


def time_column(name: str, *, primary_key: bool = False) -> Column[object]:
    """A moment that is always known."""
    return Column(name, TIME, nullable=False, primary_key=primary_key)


def number_column(name: str, *, nullable: bool = False) -> Column[float]:
    """A price, return or share."""
    return Column(name, Double, nullable=nullable)


def text_column(name: str, *, primary_key: bool = False, nullable: bool = False) -> Column[str]:
    """A word, name or text."""
    return Column(name, Text, nullable=nullable, primary_key=primary_key)
