"""What happened to an environment is in the ledger, killed and refused updates included, and an edit of it is found."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from release_lane.aws import session
from release_lane.ledger.bucket import created
from release_lane.ledger.place import ledger_at
from release_lane.record.chain import Fault, verify
from release_lane.record.ledger import Draft, EntryKind
from release_lane.record.names import Access

from tests.patience import PATIENCE
from tests.stories.cloud import client, eventually, in_time
from tests.stories.test_interrupted import way_back
from tools.lane import PROJECT, ROOT, Stack

pytestmark = [pytest.mark.cloud, pytest.mark.story, pytest.mark.timeout(600)]
WRITERS, EACH = 4, 5


def history(stack: Stack, folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """`release history` about this stack alone; its exit code, and its data."""
    folder.mkdir(exist_ok=True)
    shutil.copy(stack.settings, folder / f"Pulumi.{stack.name}.yaml")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("release")), "history", "--json", "--last", "0", *options],
        cwd=ROOT, env={**stack.lane.variables, "RELEASE_LANE_STACKS": str(folder)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def results(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Kind, verb and result of each entry."""
    return [(each["kind"], each["verb"], each["result"]) for each in found["entries"]]


@pytest.mark.states
def test_refused_and_killed_updates_are_in_the_history_which_an_edit_breaks(
    staging: Stack, liar: str, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    stack = staging.with_settings(ledger=f"file://{ledger}")
    live, previous = stack.outputs["imageDigest"], stack.outputs["previousDigest"]

    back = stack.up(imageDigest=previous, rollbackFrom=live)
    assert back.ok, back.text
    refused = stack.up(imageDigest=live)
    assert "Kind: Refused" in refused.text, "it was live earlier, and nothing says that it is meant"
    with stack.started("up", imageDigest=liar) as running:
        in_time(running, "the intent is written", lambda: "Ledger: entry 4." in running.text)
        running.process.send_signal(signal.SIGKILL)
        running.wait(PATIENCE)
    eventually("its provider writes how it ended", lambda: len(list((ledger / "entries").iterdir())) == 5)
    way_back(stack)

    code, found = history(stack, tmp_path / "stacks", "--verify")
    assert (code, found["findings"]) == (0, [])
    assert results(found)[:5] == [
        ("intent", "update", ""),
        ("outcome", "update", "done"),
        ("outcome", "update", "refused"),
        ("intent", "update", ""),
        ("outcome", "update", "interrupted"),
    ]
    done, no, killed = (found["entries"][number] for number in (1, 2, 4))
    assert (done["digest"], done["details"]["moved"], done["environment"]) == (previous, True, stack.name)
    assert done["details"]["timeline"]
    assert (no["digest"], no["of"]) == (live, 0)
    assert (killed["digest"], killed["of"]) == (liar, 4)
    assert all(each["who"] for each in found["entries"])
    assert found["entries"][-1]["open"] == {}, "the way back ended as well"

    first = max((ledger / "entries").iterdir())
    os.chmod(first, 0o644)
    first.write_text(first.read_text().replace('"who":"', '"who":"not '))
    code, found = history(stack, tmp_path / "stacks", "--verify")
    assert code == 1
    assert [(each["fault"], each["entry"]) for each in found["findings"]] == [("changed", 1)]


@pytest.fixture
def bucket(staging: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Access]]:
    """The bucket of a ledger on the local cloud, made as `release ledger create` does it."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CA_BUNDLE"):
        if given := staging.lane.variables.get(name):
            monkeypatch.setenv(name, given)
    session.forget()
    access, name = Access(region="us-east-1", account="000000000000"), f"{PROJECT}-{staging.lane.mark}-ledger"
    list(created(access, name, days=1, compliance=False))
    again = list(created(access, name, days=1, compliance=False))
    assert len(again) == 1, "what is there stays"
    yield name, access
    s3 = client(staging.lane, "s3")
    listed = s3.list_object_versions(Bucket=name)
    for each in [*listed.get("Versions", ()), *listed.get("DeleteMarkers", ())]:
        s3.delete_object(Bucket=name, Key=each["Key"], VersionId=each["VersionId"], BypassGovernanceRetention=True)
    s3.delete_bucket(Bucket=name)
    session.forget()


def test_writers_of_a_bucket_keep_one_chain_and_what_is_deleted_there_is_found(
    staging: Stack, bucket: tuple[str, Access]
) -> None:
    name, access = bucket
    url = f"s3://{name}/shop"

    def write(writer: int) -> None:
        own = ledger_at(url, access, Path())
        for number in range(EACH):
            own.append(Draft(id=f"{writer}/{number}", kind=EntryKind.REVIEW, at="", environment=f"e{writer}"))

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    live, previous = staging.outputs["imageDigest"], staging.outputs["previousDigest"]
    released = staging.with_settings(ledger=url).up(imageDigest=previous, rollbackFrom=live)
    assert released.ok, released.text

    ledger = ledger_at(url, access, Path())
    contents = ledger.contents()
    assert (verify(contents), contents.traces.kept) == ((), True)
    *others, intent, outcome = ledger.entries()
    assert len(others) == WRITERS * EACH
    assert (intent.kind, outcome.of, outcome.result, outcome.digest) == ("intent", intent.sequence, "done", previous)

    client(staging.lane, "s3").delete_object(Bucket=name, Key=f"shop/{outcome.name}")
    assert [(each.fault, each.sequence) for each in verify(ledger.contents())] == [(Fault.DELETED, outcome.sequence)]
