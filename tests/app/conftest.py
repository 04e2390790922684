"""Databases for tests of the sample service."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from app.database import Database, login, where
from app.settings import Settings
from tests.app import postgres
from tests.app.postgres import Given, Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with postgres.server() as found:
        yield found


@pytest.fixture
def empty(server: Server) -> Iterator[Given]:
    """A database with nothing in it."""
    with postgres.empty(server) as made:
        yield made


@pytest.fixture
def migrated(empty: Given) -> Given:
    """A database with the schema that this code's migrations lead to."""
    return empty.led_to("head")


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Database:
    """For what this code does with a schema: its own, or one that is there (tests.app.postgres.AS_IT_IS)."""
    if os.environ.get(postgres.AS_IT_IS):
        settings = Settings.from_environment(os.environ)
        return Database(where(settings), lambda: login(settings))
    given: Given = request.getfixturevalue("migrated")
    return given.database()
