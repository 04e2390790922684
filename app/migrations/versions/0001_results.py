"""Results: each one that was computed."""

from alembic import op

revision, down_revision = "0001", None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE results (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            algorithm text NOT NULL,
            checksum text NOT NULL,
            bytes bigint NOT NULL,
            at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX results_checksum_at ON results (checksum, at)")


def downgrade() -> None:
    op.execute("DROP TABLE results")
