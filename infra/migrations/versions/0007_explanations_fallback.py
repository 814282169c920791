"""Why the template speaks; of explanations that were made before, nobody knows."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE explanations ADD COLUMN fallback text")
