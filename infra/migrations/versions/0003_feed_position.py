"""Where a feed that follows files has come to."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE feed_state ADD COLUMN position jsonb")
