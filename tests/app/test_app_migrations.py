"""The migrations of the sample: judged by a lint, and run on a database, there and back, with the code that serves
while they run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from fastapi.testclient import TestClient
from release_lane.record.contract import Contract

from app.keeping import Keeping
from app.service import create_app
from app.settings import Settings
from tests.app.postgres import AS_IT_IS, ROOT, Given
from tests.app.test_app_image import labels_of
from tests.patience import PATIENCE
from tests.proxies import without

RECORDS = "tests/app/test_app_records.py"
"""What code does with a schema, run as other code's tests as well."""

NEXT = """
from alembic import op

revision, down_revision = "{revision}", "{before}"


def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    {downgrade}
"""


def chain(root: Path = ROOT) -> list[str]:
    """Revisions from the first to the last one; Alembic refuses two heads."""
    scripts = ScriptDirectory.from_config(Config(root / "app/alembic.ini"))
    return [each.revision for each in scripts.walk_revisions()][::-1]


HEAD = chain()[-1]
BEFORE = chain()[-2] if len(chain()) > 1 else "base"
FOLLOWS = f"{int(HEAD) + 1:04}"


def contract(root: Path = ROOT) -> Contract:
    return Contract.of(labels_of(root / "app/Dockerfile"), "the sample")


@pytest.mark.pure
def test_the_image_says_where_its_migrations_lead_and_that_its_code_can_live_there() -> None:
    said = contract()
    assert said.schema_provides == HEAD
    assert HEAD in said.schema_needs
    assert set(said.schema_needs) <= {*chain(), FOLLOWS}, "revisions that there are, and the one that is planned"


@pytest.mark.provider
@pytest.mark.parametrize("revision", [each for each in chain() if each in contract().schema_needs])
def test_the_code_can_live_with_each_revision_that_its_image_names(empty: Given, revision: str) -> None:
    passes(empty.led_to(revision), ROOT)


@pytest.mark.provider
def test_a_migration_goes_up_under_the_code_of_before_and_down_again(empty: Given, tmp_path: Path) -> None:
    """That code serves while the migration runs, and is what a rollback goes to: its own tests pass on the new schema,
    and again on the one that is gone back to. No row is lost."""
    old = code_of_before(tmp_path)
    assert HEAD in contract(old).schema_needs, f"a release of {HEAD} would be refused: the code of before lacks it"
    assert chain(old) == chain()[:-1]
    passes(empty.led_to(BEFORE, old), old)
    kept = empty.rows("SELECT count(*) FROM results")
    empty.led_to("head")
    for code in (old, ROOT, old):
        passes(empty, code)
    grown = empty.rows("SELECT count(*) FROM results")
    assert grown > kept > [(0,)]
    down(empty, BEFORE)
    assert empty.rows("SELECT count(*) FROM results") == grown
    passes(empty, old)
    down(empty, "base")
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    assert empty.rows(tables) == [("alembic_version",)]


def down(given: Given, revision: str) -> None:
    done = given.alembic("downgrade", revision)
    assert done.returncode == 0, done.stderr


def passes(given: Given, code: Path) -> None:
    """The tests of this code, on the schema as it is."""
    environ = {name: text for name, text in without(os.environ).items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", RECORDS],
        cwd=code, env={**environ, **given.environ, AS_IT_IS: "1"}, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr


def code_of_before(folder: Path) -> Path:
    """The last commit without the newest migration, as files."""
    (newest,) = (ROOT / "app/migrations/versions").glob(f"{HEAD}_*.py")
    added = git("log", "--diff-filter=A", "--format=%H", "-1", "--", str(newest)).strip()
    commit = f"{added}^" if added else "HEAD"
    archive = folder / "code.tar"
    try:
        git("cat-file", "-e", f"{commit}:{RECORDS}")
        git("archive", f"--output={archive}", commit)
    except subprocess.CalledProcessError:
        pytest.skip(f"LEFT OUT: this history has no code of before {HEAD} that uses a database")
    code = folder / "before"
    shutil.unpack_archive(archive, code, filter="data")
    return code


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


# ---- migrations that do not go well


@pytest.fixture
def following(tmp_path: Path) -> Callable[..., Path]:
    """A copy of the sample with one more migration."""

    def make(upgrade: str, downgrade: str = "pass") -> Path:
        shutil.copytree(ROOT / "app", tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
        text = NEXT.format(revision=FOLLOWS, before=HEAD, upgrade=upgrade, downgrade=downgrade)
        (tmp_path / f"app/migrations/versions/{FOLLOWS}_following.py").write_text(text)
        return tmp_path

    return make


@pytest.mark.provider
def test_one_that_fails_half_way_has_not_happened(migrated: Given, following: Callable[..., Path]) -> None:
    code = following('op.execute("ALTER TABLE results ADD COLUMN half text"); op.execute("SELECT nonsense")')
    done = migrated.alembic("upgrade", "head", root=code)
    assert done.returncode == 1
    assert 'column "nonsense" does not exist' in done.stderr
    assert migrated.rows("SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert not migrated.rows("SELECT 1 FROM information_schema.columns WHERE column_name = 'half'")
    passes(migrated, ROOT)


@pytest.mark.provider
def test_one_that_waits_for_a_lock_gives_up_before_users_do(migrated: Given, following: Callable[..., Path]) -> None:
    code = following('op.execute("ALTER TABLE results ADD COLUMN late text")')
    with (
        migrated.server.administered(migrated.name) as session,
        TestClient(create_app(Settings(), keeping=Keeping(migrated.database()))) as client,
        ThreadPoolExecutor(1) as thread,
        session.transaction(),
    ):
        session.execute("SELECT count(*) FROM results")  # as a report that takes long, or a session left open
        waits = thread.submit(migrated.alembic, "upgrade", "head", root=code)
        answers = [client.post("/api/v1/checksums", content=b"abc").status_code]
        while not waits.done():
            answers.append(client.post("/api/v1/checksums", content=b"abc").status_code)
        done = waits.result()
    assert set(answers) == {200}, "users wait, and are served"
    assert done.returncode == 1
    assert "canceling statement due to lock timeout" in done.stderr
    again = migrated.alembic("upgrade", "head", root=code)
    assert again.returncode == 0, again.stderr


@pytest.mark.provider
def test_one_whose_task_is_stopped_ends_in_the_database_as_well(
    migrated: Given, following: Callable[..., Path]
) -> None:
    code = following('op.execute("ALTER TABLE results ADD COLUMN half text"); op.execute("SELECT pg_sleep(600)")')
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"

    def until(number: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while migrated.rows(asleep) != [(number,)]:
            assert time.monotonic() < deadline, f"not {number} within {PATIENCE:.0f} s"
            time.sleep(0.1)

    command, environ = migrated.migration("upgrade", "head")
    with subprocess.Popen(command, cwd=code, env=environ, stderr=subprocess.DEVNULL) as process:
        until(1)
        process.kill()
    until(0)
    assert not migrated.rows("SELECT 1 FROM information_schema.columns WHERE column_name = 'half'")


# ---- the lint


def lint(*folder: Path) -> subprocess.CompletedProcess[str]:
    """The check of `release check`, as it stands in pyproject.toml; of a copy of the sample, where one is given."""
    command = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["release-lane"]["checks"]["migrations"]
    return subprocess.run(["sh", "-c", f'{command} "$@"', "sh", *folder], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.provider
def test_each_migration_is_judged_by_itself_and_safe_under_traffic() -> None:
    done = lint()
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Found 0 issues in {len(chain())} file" in done.stdout


@pytest.mark.provider
@pytest.mark.parametrize(
    ("unsafe", "rule"),
    [
        ("ALTER TABLE results ADD COLUMN client text NOT NULL", "adding-required-field"),
        ("ALTER TABLE results RENAME COLUMN checksum TO digest", "renaming-column"),
        ("ALTER TABLE results DROP COLUMN bytes", "ban-drop-column"),
        ("ALTER TABLE results ALTER COLUMN bytes TYPE text", "changing-column-type"),
        # Unsafe for what other migrations created: in one file with these it would pass.
        ("CREATE INDEX results_at ON results (at)", "require-concurrent-index-creation"),
        ("ALTER TABLE results ADD CONSTRAINT sized CHECK (bytes >= 0)", "constraint-missing-not-valid"),
    ],
)
def test_an_unsafe_migration_is_refused_by_the_check(following: Callable[..., Path], unsafe: str, rule: str) -> None:
    done = lint(following(f'op.execute("{unsafe}")'))
    assert done.returncode == 1
    assert rule in done.stdout


@pytest.mark.provider
def test_migrations_that_cannot_be_read_pass_no_check(following: Callable[..., Path]) -> None:
    done = lint(following("raise RuntimeError('no such thing')"))
    assert done.returncode != 0
    assert "no such thing" in done.stderr
