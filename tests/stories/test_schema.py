"""The sample with a real database and a real cache: its schema changes under its users, and does so badly as well."""

from __future__ import annotations

import base64
import io
import itertools
import json
import shutil
import signal
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from local_aws import metrics
from release_lane.record.revisions import NEEDS, PROVIDES
from release_lane.smoke.connecting import session_to

from tests.app.test_app_image import labels_of
from tests.app.test_app_migrations import FOLLOWS, HEAD, NEXT, code_of_before
from tests.patience import ANSWER_WITHIN, PATIENCE
from tests.stories.cloud import client, eventually, idle_of, in_time, no_alarm_fires, tasks
from tests.stories.test_interrupted import way_back
from tests.stories.test_migration import passed, ran
from tools.lane import PROJECT, ROOT, Lane, Stack

pytestmark = [pytest.mark.cloud, pytest.mark.story, pytest.mark.long, pytest.mark.timeout(900)]

SETTINGS: Mapping[str, Any] = {
    "database": {"instanceClass": "db.t4g.micro"},
    "cache": {"nodeType": "cache.t4g.micro", "engineVersion": "8.1"},
    "migration": {"command": ["/venv/bin/alembic", "upgrade", "head"], "deadlineSeconds": 60},
    "smoke": {"deadlineSeconds": 10},
}


@pytest.fixture(scope="module", autouse=True)
def quick_metrics(lane: Lane) -> Iterator[None]:
    """CloudWatch hears of the load balancers once a second."""
    with metrics.quick(lane.variables["AWS_ENDPOINT_URL"], 1):
        yield


# ---- images


def edition(lane: Lane, good: str, name: str, app: Path) -> str:
    """The good image with other code of the sample, and what that code's Dockerfile says of its schema."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(app, "app", filter=lambda each: None if "__pycache__" in each.name else each)
    said = labels_of(app / "Dockerfile")
    files = base64.b64encode(packed.getvalue()).decode()
    compiled = "/venv/bin/python -m compileall -q -f --invalidation-mode unchecked-hash /srv/app"
    lines = (
        "USER 0",
        f"RUN rm -r /srv/app && echo {files} | base64 -d | tar -xz --no-same-owner -C /srv && {compiled}",
        "USER 10001:10001",
        *(f'LABEL {label}="{said[label]}"' for label in (PROVIDES, NEEDS)),
    )
    return lane.derive(name, good, lines)


class Editions:
    """Images of the sample as it is here, with one more migration."""

    def __init__(self, lane: Lane, good: str, folder: Path) -> None:
        self._lane, self._good, self._folder = lane, good, folder

    def planning(self, name: str) -> str:
        """The code of here, which can live with the next revision as well."""
        return self._made(name, PROVIDES, HEAD, lambda _: None)

    def following(self, name: str, upgrade: str, patient: bool = False) -> str:
        """Its migration leads to the next revision. `patient`: it waits for locks for ever."""

        def change(app: Path) -> None:
            text = NEXT.format(revision=FOLLOWS, before=HEAD, upgrade=upgrade, downgrade="pass")
            (app / f"migrations/versions/{FOLLOWS}_following.py").write_text(text)
            if patient:
                path = app / "migrations/env.py"
                limited = path.read_text()
                assert "lock_timeout = '2s'" in limited
                path.write_text(limited.replace("lock_timeout = '2s'", "lock_timeout = 0"))

        return self._made(name, PROVIDES, FOLLOWS, change)

    def _made(self, name: str, label: str, revision: str, change: Callable[[Path], None]) -> str:
        app = self._folder / name
        shutil.copytree(ROOT / "app", app, ignore=shutil.ignore_patterns("__pycache__"))
        change(app)
        with (app / "Dockerfile").open("a") as recipe:
            recipe.write(f'LABEL {label}="{revision}" {NEEDS}="{HEAD},{FOLLOWS}"\n')
        return edition(self._lane, self._good, name, app)


@pytest.fixture(scope="module")
def editions(lane: Lane, good: str, tmp_path_factory: pytest.TempPathFactory) -> Editions:
    return Editions(lane, good, tmp_path_factory.mktemp("editions"))


# ---- the database, and users who write


@contextmanager
def connected(stack: Stack) -> Iterator[psycopg.Connection]:
    """To the database of an environment, as its owner; each statement commits. From outside the tasks' network its name
    is not known, so by its container's address."""
    name, known = f"{PROJECT}-{stack.name}", stack.outputs["database"]
    label = f"label=local-aws.group=database:{name}"
    (container,) = docker("ps", "--quiet", "--filter", label).split()
    address = docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container)
    found = client(stack.lane, "secretsmanager").get_secret_value(SecretId=known["secret"])["SecretString"]
    login = {"user": json.loads(found)["username"], "password": json.loads(found)["password"]}
    place = {"host": known["host"], "hostaddr": address.strip(), "port": known["port"], "dbname": known["name"]}
    with psycopg.connect(**place, **login, sslmode="require", autocommit=True) as connection:
        yield connection


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout


def one(stack: Stack, query: str) -> Any:
    """The first value of the first row."""
    with connected(stack) as connection:
        (row,) = connection.execute(query).fetchall()
        return row[0]


def schema(stack: Stack) -> str:
    return str(one(stack, "SELECT version_num FROM alembic_version"))


def columns(stack: Stack) -> set[str]:
    query = "SELECT array_agg(column_name::text) FROM information_schema.columns WHERE table_name = 'results'"
    return set(one(stack, query))


def migrates_no_more(stack: Stack) -> None:
    """No session of a migration is left in the database: what it had begun is rolled back, and its locks are gone."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE '%ALTER TABLE%' AND pid <> pg_backend_pid()"
    eventually("its session has ended", lambda: one(stack, query) == 0)


class Writers:
    """Users of the live URL, each of whom posts something new again and again; what was acknowledged is kept."""

    def __init__(self, stack: Stack, number: int = 4) -> None:
        self._stack, self._ended = stack, threading.Event()
        self.acknowledged: list[str] = []
        self.failed: list[str] = []
        self._threads = [threading.Thread(target=self._write, args=(each,), daemon=True) for each in range(number)]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _write(self, writer: int) -> None:
        at = self._stack.endpoint
        with session_to(at) as session:
            for number in itertools.count():
                if self._ended.is_set():
                    return
                body = f"{self._stack.name} {writer} {number}".encode()
                answer = session.post(f"{at.url}/api/v1/checksums", data=body, timeout=ANSWER_WITHIN)
                if answer.ok:
                    self.acknowledged.append(answer.json()["checksum"])
                else:
                    self.failed.append(f"{answer.status_code} {answer.text}")


def post(stack: Stack, body: bytes) -> int:
    with session_to(stack.endpoint) as session:
        return session.post(f"{stack.url}/api/v1/checksums", data=body, timeout=ANSWER_WITHIN).status_code


# ---- the stories


def test_old_and_new_code_write_at_once_on_the_expanded_schema_and_nothing_is_lost(
    lane: Lane, good: str, tmp_path: Path
) -> None:
    watched = {"errorPercent": 20, "periodSeconds": 10, "lateSeconds": 8}
    shift = {"steps": [50, 100], "bakeSeconds": 3}
    stack = lane.environment("expands", **SETTINGS, shift=shift, alarms=watched)
    old = edition(lane, good, "before-the-expansion", code_of_before(tmp_path) / "app")
    first = stack.up(imageDigest=old)
    assert first.ok, first.text
    before = schema(stack)
    status = stack.served()
    assert (status["database"]["state"], status["cache"]["state"]) == ("ok", "ok"), status
    assert status["database"]["schema"] == before
    no_alarm_fires(stack)
    with Writers(stack) as writers:
        released = stack.up(imageDigest=good)
        assert released.ok, released.text
        assert schema(stack) == HEAD != before
        back = stack.up(imageDigest=old, rollbackFrom=good)
        assert back.ok, back.text
        rolled = len(writers.acknowledged)
        eventually("the old code writes on the new schema", lambda: len(writers.acknowledged) > rolled + 20)
    assert writers.failed == []
    assert schema(stack) == HEAD, "a rollback takes no migration back"
    with connected(stack) as connection:
        rows = connection.execute("SELECT checksum, count(*) FROM results GROUP BY checksum").fetchall()
        spans = "SELECT min(at), max(at) FROM results WHERE release IS {} NULL"
        (of_old,), (of_new,) = (connection.execute(spans.format(each)).fetchall() for each in ("", "NOT"))
    times = {checksum: number for checksum, number in rows if checksum in set(writers.acknowledged)}
    assert times == dict.fromkeys(writers.acknowledged, 1), "each that was acknowledged is there, once"
    assert of_old[0] < of_new[0] < of_new[1] < of_old[1], "new code wrote while old code did"


@pytest.fixture(scope="module")
def expanded(lane: Lane, editions: Editions) -> Stack:
    """An environment whose live release can live with the schema as it is, and with the next revision."""
    stack = lane.environment("schemas", **SETTINGS)
    result = stack.up(imageDigest=editions.planning("plans-the-next"))
    assert result.ok, result.text
    assert schema(stack) == HEAD
    return stack


def as_it_was(stack: Stack) -> None:
    """The schema is where it was, no task of the release was started, and users can write."""
    migrates_no_more(stack)
    assert (schema(stack), columns(stack) & {"half", "late"}) == (HEAD, set())
    assert tasks(stack, idle_of(stack)) == set()
    assert passed(stack) == [HEAD]
    eventually("users can write", lambda: post(stack, b"abc") == 200)


HALF = 'op.execute("ALTER TABLE results ADD COLUMN half text")'
LATE = 'op.execute("ALTER TABLE results ADD COLUMN late text")'


def test_a_migration_that_fails_half_way_is_rolled_back(expanded: Stack, editions: Editions) -> None:
    fails = editions.following("fails-half-way", f'{HALF}; op.execute("SELECT nonsense")')
    refused = expanded.up(imageDigest=fails)
    assert not refused.ok
    assert 'column "nonsense" does not exist' in refused.text
    as_it_was(expanded)


def test_a_migration_that_waits_for_a_lock_gives_up_and_users_notice_nothing(
    expanded: Stack, editions: Editions
) -> None:
    waits = editions.following("waits-for-a-lock", LATE)
    with connected(expanded) as session, session.transaction(), Writers(expanded) as writers:
        session.execute("SELECT count(*) FROM results")
        refused = expanded.up(imageDigest=waits)
    assert not refused.ok
    assert "canceling statement due to lock timeout" in refused.text
    assert writers.acknowledged
    assert writers.failed == []
    as_it_was(expanded)


def test_a_lock_that_is_held_until_the_deadline_ends_with_the_task(expanded: Stack, editions: Editions) -> None:
    """A migration without a lock_timeout: users queue behind it, and are answered with 503 until it is stopped."""
    stack = expanded.with_settings(migration={**SETTINGS["migration"], "deadlineSeconds": 15})
    hangs = editions.following("hangs-on-a-lock", LATE, patient=True)
    with connected(stack) as session, session.transaction():
        session.execute("SELECT count(*) FROM results")
        late = stack.up(imageDigest=hangs)
        assert not late.ok
        assert "did not end within 15 s" in late.text
        as_it_was(stack)


@pytest.mark.states
def test_a_migration_killed_with_the_engine_is_rolled_back_and_the_next_update_runs_it(
    expanded: Stack, editions: Editions
) -> None:
    stack = expanded
    sleeps = editions.following("sleeps", f'{HALF}; op.execute("SELECT pg_sleep(50) /* after ALTER TABLE */")')
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    with stack.started("up", imageDigest=sleeps) as running:
        in_time(running, "the migration is half way", lambda: one(stack, asleep) == 1)
        running.process.send_signal(signal.SIGKILL)
        running.wait(PATIENCE)
    eventually("its provider ended its task", lambda: all(each["lastStatus"] == "STOPPED" for each in ran(stack)))
    as_it_was(stack)
    way_back(stack)
    done = stack.up(imageDigest=editions.following("expands-again", LATE))
    assert done.ok, done.text
    assert (schema(stack), "late" in columns(stack), passed(stack)) == (FOLLOWS, True, [HEAD, FOLLOWS])
    assert post(stack, b"abc") == 200


def test_a_database_that_is_away_stops_what_needs_it_and_no_task(expanded: Stack) -> None:
    stack, name = expanded, f"{PROJECT}-{expanded.name}"
    live = stack.outputs["liveColour"]
    running = tasks(stack, live)
    (container,) = docker("ps", "--quiet", "--filter", f"label=local-aws.group=database:{name}").split()
    docker("pause", container)
    try:
        eventually("writes are refused", lambda: post(stack, b"abc") == 503)
        status = stack.served()
        assert status["status"] == "error"
        assert [each for each in status["problems"] if each.startswith("database: ")], status
    finally:
        docker("unpause", container)
    eventually("users can write again", lambda: post(stack, b"abc") == 200)
    assert tasks(stack, live) == running, "no task was stopped for it"


def test_a_cache_that_is_away_breaks_nothing_and_is_named(expanded: Stack) -> None:
    stack = expanded
    label = f"label=local-aws.group=cache:{PROJECT}-{stack.name}-001"
    containers = docker("ps", "--quiet", "--filter", label).split()
    assert containers
    docker("pause", *containers)
    try:
        status = eventually("the status names it", lambda: (found := stack.served())["problems"] and found)
        assert status["status"] == "ok"
        assert [each.split(":")[0] for each in status["problems"]] == ["cache"]
        assert post(stack, b"abc") == 200
    finally:
        docker("unpause", *containers)
    eventually("it is well again", lambda: stack.served()["problems"] == [])
