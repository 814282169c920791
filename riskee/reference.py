"""Writes docs/reference.md from the declarations, so that the page cannot disagree with the code.

`python -m riskee.reference > docs/reference.md`; a test compares the two.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from riskee.explanation.facts import FLAG_NOTES
from riskee.features.definitions import EARNINGS, TECHNICAL
from riskee.messaging.messages import Flag
from riskee.messaging.statuses import MEANINGS
from riskee.messaging.streams import STREAMS, stream_of
from riskee.messaging.subjects import SUBJECTS, UNSTORED
from riskee.settings import ENV_PREFIX, Settings
from riskee.settings.files import secrets_of
from riskee.storage.keys import KEYS
from riskee.storage.tables import TIME_SERIES, metadata

MIB = 1024**2


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"
    yield ""


def settings_rows(model: type[BaseModel] = Settings, prefix: str = ENV_PREFIX) -> Iterator[tuple[str, str, str]]:
    """Every setting as (variable, default, meaning)."""
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from settings_rows(field.annotation, f"{variable}__")
        else:
            yield variable, _default(field), field.description or ""


def _default(field: FieldInfo) -> str:
    value = field.default
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _settings() -> Iterator[str]:
    yield "## Settings\n"
    secret = ", ".join(f"`{each.variable}`" for each in secrets_of(Settings, ENV_PREFIX))
    yield (
        "A secret may come from a file: with `RISKEE_REDIS__PASSWORD_FILE=/run/secrets/redis` the text of that file,\n"
        f"without the end of its line, is `RISKEE_REDIS__PASSWORD`. These are secret: {secret}.\n"
    )
    rows = ((f"`{name}`", f"`{default}`", meaning) for name, default, meaning in settings_rows())
    yield from _table(("variable", "default", "meaning"), rows)


def _messaging() -> Iterator[str]:
    yield "## Streams\n"
    yield from _table(
        ("stream", "subjects", "kept for", "at most", "for"),
        (
            (f"`{s.name}`", f"`{' '.join(s.subjects)}`", f"{s.max_age.days} d", f"{s.max_bytes // MIB} MiB", s.purpose)
            for s in STREAMS
        ),
    )
    yield "## Subjects\n"
    yield from _table(
        ("subject", "stream", "payload", "for"),
        ((f"`{s.name}`", f"`{stream_of(s.name).name}`", f"`{s.payload.__name__}`", s.purpose) for s in SUBJECTS),
    )
    yield "Besides, on plain NATS and in no stream:\n"
    yield from _table(
        ("subject", "payload", "for"), ((f"`{s.name}`", f"`{s.payload.__name__}`", s.purpose) for s in UNSTORED)
    )
    yield "## Statuses, the gravest first\n"
    yield from _table(
        ("status", "meaning", "what to do", "the number is"),
        (
            (f"`{m.status.value}`", m.text, m.next_step, "the last known" if m.last_known else "current")
            for m in MEANINGS
        ),
    )
    yield "## Flags of a prediction\n"
    yield from _table(("flag", "meaning"), ((f"`{flag.value}`", FLAG_NOTES[flag]) for flag in Flag))


def _storage() -> Iterator[str]:
    yield "## Redis keys\n"
    yield from _table(("key", "lives for", "for"), ((f"`{key.pattern}`", str(key.ttl), key.purpose) for key in KEYS))
    yield "## Tables\n"
    cut = {series.table.name: f"by `{series.time_column}`, {series.chunk.days} d" for series in TIME_SERIES}
    yield from _table(
        ("table", "columns (key in bold)", "partitioned"),
        (
            (
                f"`{table.name}`",
                ", ".join(f"**{c.name}**" if c.primary_key else c.name for c in table.columns),
                cut.get(table.name, ""),
            )
            for table in metadata.sorted_tables
        ),
    )


def _features() -> Iterator[str]:
    yield "## Features\n"
    yield from _table(
        ("feature", "bars", "unit", "definition", "models"),
        (
            (f"`{f.name}`", str(f.bars), f.unit, f.definition, models)
            for features, models in ((TECHNICAL, "normal, earnings"), (EARNINGS, "earnings"))
            for f in features
        ),
    )


def render() -> str:
    """The whole page."""
    head = "# Reference\n\nGenerated from the code by `make docs`; do not edit.\n"
    return "\n".join((head, *_settings(), *_messaging(), *_storage(), *_features()))


if __name__ == "__main__":
    sys.stdout.write(render())
