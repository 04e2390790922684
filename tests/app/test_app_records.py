"""What the service does with its database's schema.

These tests are also run with the code of before a migration, on the schema after it (test_app_migrations.py): they take
rows that are there, and make none that another one meets.
"""

import hashlib
import uuid
from collections.abc import Iterator
from datetime import datetime

import pytest
from fastapi.testclient import TestClient

from app.database import Database
from app.keeping import Keeping
from app.service import create_app
from app.settings import Settings

pytestmark = pytest.mark.provider

SETTINGS = Settings(release_id="r1")


@pytest.fixture
def client(database: Database) -> Iterator[TestClient]:
    """One event loop for all of its requests, as in the service."""
    with TestClient(create_app(SETTINGS, keeping=Keeping(database))) as client:
        yield client


def test_a_result_is_recorded_and_can_be_asked_for(client: TestClient) -> None:
    body = uuid.uuid4().bytes
    checksum = hashlib.sha256(body).hexdigest()
    asked = f"/api/v1/checksums/{checksum}"
    unknown = client.get(asked)
    assert (unknown.status_code, unknown.json()["detail"]) == (404, f"no checksum {checksum} was computed here")
    times = [client.post("/api/v1/checksums", content=body).json() for _ in range(3)]
    assert times == [{"algorithm": "sha256", "checksum": checksum, "bytes": 16}] * 3
    found = client.get(asked.upper().replace("/API/V1/CHECKSUMS", "/api/v1/checksums")).json()
    assert (found["checksum"], found["times"]) == (checksum, 3)
    first, last = (datetime.fromisoformat(found[name]) for name in ("firstSeen", "lastSeen"))
    assert first < last, "each result has its own time"
    assert found["lastRelease"] == "r1"
    assert client.get("/api/v1/checksums/%00").status_code == 404, "no question makes the release look broken"


def test_the_status_asks_the_database_and_says_which_schema_it_has(client: TestClient) -> None:
    status = client.get("/api/v1/status").json()
    assert (status["status"], status["problems"]) == ("ok", [])
    assert status["database"].pop("ms") > 0
    assert status["database"].pop("schema")
    assert status["database"] == {"state": "ok"}
    assert status["cache"] == {"state": "not configured"}
