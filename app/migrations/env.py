"""How Alembic reaches the database: by what the service reads, with the same role.

All pending migrations are one transaction: if one fails, none has happened. With `--sql` they are printed, for a lint.
"""

import logging
import os

import psycopg
from alembic import context
from sqlalchemy import NullPool, create_engine

from app.database import login, where
from app.settings import Settings

# Users' requests queue behind a lock that a migration waits for, so it waits for less time than they do
# (ANSWERS in app/database.py). A statement that takes longer than this belongs into a job of its own.
# PostgreSQL looks for a client that has gone in the middle of a statement only where it is asked to: a migration whose
# task was stopped would go on, and hold its locks.
LIMITS = (
    "SET LOCAL lock_timeout = '2s'",
    "SET LOCAL statement_timeout = '5min'",
    "SET LOCAL client_connection_check_interval = '1s'",
)


def migrate() -> None:
    with context.begin_transaction():
        for limit in LIMITS:
            context.execute(limit)
        context.run_migrations()


logging.basicConfig(level=logging.INFO, format="%(message)s")
if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True)
    migrate()
else:
    settings = Settings.from_environment(os.environ)
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(**where(settings), **login(settings)),
        poolclass=NullPool,
    )
    with engine.connect() as connection:
        context.configure(connection=connection)
        migrate()
