"""Results: by which release. An expand step: code that knows nothing of the column goes on writing without it."""

from alembic import op

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE results ADD COLUMN release text")


def downgrade() -> None:
    op.execute("ALTER TABLE results DROP COLUMN release")
