"""What an explanation was made from and at what cost; those that were made before say so by their empty facts."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_FILLED = (
    ("occasion", "text", "request"),
    ("facts_sha256", "text", ""),
    ("dropped", "jsonb", "{}"),
    ("tokens_in", "bigint", "0"),
    ("tokens_out", "bigint", "0"),
)


def upgrade() -> None:
    op.execute("ALTER TABLE explanations ADD COLUMN record jsonb")
    for name, kind, past in _FILLED:
        op.execute(f"ALTER TABLE explanations ADD COLUMN {name} {kind} NOT NULL DEFAULT '{past}'")
        op.execute(f"ALTER TABLE explanations ALTER COLUMN {name} DROP DEFAULT")
