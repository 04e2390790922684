"""Deaths and recoveries as a person lives them: real engine, real containers. One story, in order.

Each test begins where the one before left the environment: with nothing that is still to be recovered.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from local_aws.project import OF_AN_ACCOUNT
from release_lane.aws import session
from release_lane.aws.existing import LOOKED_UP, existing
from release_lane.record.names import Access
from release_lane.record.placement import Colour
from tests.command.checkout import Checkout, on_the_local_cloud, says, until
from tests.command.deaths import Mute, children, the_machine_dies

from tests.held import IMPORTED, held_by

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(600), pytest.mark.states]


class Story:
    """What earlier parts of the story made."""

    first = second = ""


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    with on_the_local_cloud(tmp_path_factory.mktemp("recover") / "checkout") as checkout:
        yield checkout


@pytest.fixture
def standby(lane: Checkout) -> None:
    """Staging with a release on each colour, as the tests above leave it; made where these did not run."""
    while not lane.status("staging")["previousDigest"]:
        lane.change("app/service.py", '"""', '"""Another edition. ')
        lane.release("deploy", "staging", "--digest", lane.release("build").ok().out.strip()).ok()


def services(lane: Checkout) -> dict[str, Any]:
    """The services of staging that exist, by name."""
    name = f"{lane.project}-staging"
    names = [f"{name}-{colour}" for colour in Colour]
    found = lane.aws("ecs").describe_services(cluster=name, services=names)["services"]
    return {each["serviceName"]: each for each in found if each["status"] == "ACTIVE"}


def kinds(found: list[dict[str, str]]) -> list[str]:
    return [each["what"] for each in found]


def test_a_service_whose_creation_was_never_answered_is_taken_into_the_state(lane: Checkout) -> None:
    Story.first = lane.release("build").ok().out.strip()
    with Mute(lane.variables["AWS_ENDPOINT_URL"], "CreateService") as door:
        lane.variables["AWS_ENDPOINT_URL"], real = door.url, lane.variables["AWS_ENDPOINT_URL"]
        with lane.started("deploy", "staging", "--digest", Story.first) as running:
            until(door.done.is_set, "AWS was asked to create a service")
            the_machine_dies(running.pid)
            running.communicate()
        lane.variables["AWS_ENDPOINT_URL"] = real
    existing = services(lane)
    assert existing, "AWS has a service of which the state does not know how its creation ended"

    refused = lane.release("deploy", "staging", "--digest", Story.first)
    assert refused.code == 4, refused.err
    assert "that process is gone" in refused.err
    assert "release recover staging" in refused.err

    recovered = lane.release("recover", "staging", "--yes", "--json").ok().data
    assert {"lock", "unfinished"} <= set(kinds(recovered["found"]))
    assert any(
        each.startswith("add ") and service["serviceArn"] in each
        for each in recovered["done"]
        for service in existing.values()
    )
    assert recovered["left"] == []
    assert recovered["next"].startswith("release again")

    deployed = lane.release("deploy", "staging", "--digest", Story.first, "--json").ok().data
    assert deployed["digest"] == Story.first
    after = services(lane)
    assert {name: each["createdAt"] for name, each in existing.items()}.items() <= {
        name: each["createdAt"] for name, each in after.items()
    }.items(), "it is the same service, not another one of its name"


def test_with_nothing_left_behind_there_is_nothing_to_do(lane: Checkout) -> None:
    nothing = lane.release("recover", "staging", "--json").ok().data
    assert (nothing["found"], nothing["done"], nothing["left"]) == ([], [], [])
    assert nothing["next"] == "nothing; everything is in order."


def test_an_engine_that_was_killed_in_a_rollout_is_recovered_from(lane: Checkout) -> None:
    lane.change("app/service.py", '"""', '"""Second edition. ')
    Story.second = lane.release("build").ok().out.strip()
    with lane.started("deploy", "staging", "--digest", Story.second, "--no-heal") as running:
        assert running.stderr
        until(lambda: "Rollout" in running.stderr.readline(), "the rollout has begun")  # type: ignore[union-attr]
        (engine,) = children(running.pid)
        os.kill(engine, signal.SIGKILL)
        running.communicate()
    assert running.returncode != 0
    recovered = lane.release("recover", "staging", "--yes", "--json").ok().data
    assert kinds(recovered["found"])[0] == "lock"
    assert recovered["locks"][0]["owner"] == "gone"
    assert recovered["left"] == []
    assert "heal staging" in recovered["next"]
    assert lane.status("staging")["pending"] == []
    assert lane.release("deploy", "staging", "--digest", Story.second, "--json").ok().data["digest"] == Story.second


def die_in_the_switch(lane: Checkout, *verb: str) -> None:
    """Everything that runs here is killed just after users were moved, before that was recorded."""
    before, hold, checks = lane.weights(), lane.folder / "hold", lane.folder / "smoke/test_service.py"
    text = checks.read_text()
    hold.touch()
    checks.write_text(text.replace(IMPORTED, IMPORTED + held_by(hold), 1))
    try:
        with lane.started(*verb, "staging", "--yes") as running:
            until(lambda: lane.weights() != before, "users were moved")
            the_machine_dies(running.pid)
            running.communicate()
    finally:
        hold.unlink()
        checks.write_text(text)


def test_an_interrupted_switch_is_explained_and_left_alone_until_somebody_says_what_to_do(lane: Checkout) -> None:
    live = lane.status("staging")
    die_in_the_switch(lane, "rollback")
    moved = lane.weights()
    explained = lane.release("recover", "staging", "--yes", "--json").ok().data
    assert kinds(explained["left"]) == ["switch"]
    assert "found an interrupted switch" in explained["left"][0]["text"]
    assert "--finish" in explained["next"]
    assert "--undo" in explained["next"]
    assert lane.weights() == moved
    undone = lane.release("recover", "staging", "--undo", "--json").ok().data
    assert undone["update"]["digest"] == live["digest"]
    assert undone["left"] == []
    assert lane.release("smoke", "staging").code == 0
    assert lane.status("staging")["digest"] == live["digest"]


@pytest.mark.long
@pytest.mark.usefixtures("standby")
def test_an_interrupted_switch_can_be_finished_in_one_go_with_its_lock(lane: Checkout) -> None:
    previous = lane.status("staging")["previousDigest"]
    die_in_the_switch(lane, "rollback")
    finished = lane.release("recover", "staging", "--yes", "--finish", "--json").ok().data
    assert kinds(finished["found"])[0] == "lock"
    assert finished["update"]["digest"] == previous
    assert lane.status("staging")["digest"] == previous
    assert lane.release("smoke", "staging").code == 0


@pytest.mark.long
@pytest.mark.usefixtures("standby")
def test_an_idle_service_that_the_state_does_not_know_is_deleted(lane: Checkout) -> None:
    idle = Colour(lane.status("staging")["liveColour"]).other
    name = f"{lane.project}-staging-{idle}"
    exported = lane.run("pulumi", "stack", "export", "--stack", "staging").ok().data
    urn = next(
        each["urn"] for each in exported["deployment"]["resources"]
        if each["type"] == "aws:ecs/service:Service" and each["urn"].endswith(f"-{idle}")
    )  # fmt: skip
    # What is left of an update whose provider died between AWS's doing and its telling.
    forgotten = lane.run(
        "pulumi", "state", "delete", urn, "--yes", "--force", "--target-dependents", "--stack", "staging"
    )
    forgotten.ok()
    blocked = lane.release("heal", "staging")
    assert blocked.code == 3, blocked.err
    recovered = lane.release("recover", "staging", "--yes", "--json").ok().data
    assert "stray" in kinds(recovered["found"])
    assert any(f"delete the service {name}" in each for each in recovered["done"])
    assert recovered["left"] == []
    lane.release("heal", "staging").ok()
    assert lane.status("staging")["rollback"]["costs"] == "traffic-only"
    assert lane.release("smoke", "staging").code == 0


@pytest.mark.long
@pytest.mark.usefixtures("standby")
def test_a_service_that_serves_is_never_touched(lane: Checkout) -> None:
    live = Colour(lane.status("staging")["liveColour"])
    exported = lane.run("pulumi", "stack", "export", "--stack", "staging").ok().data
    saved = json.dumps(exported)
    deployment = exported["deployment"]
    of_live = next(
        each for each in deployment["resources"]
        if each["type"] == "aws:ecs/service:Service" and each["urn"].endswith(f"-{live}")
    )  # fmt: skip
    deployment["resources"] = [each for each in deployment["resources"] if of_live["urn"] not in json.dumps(each)]
    lane.run_with("pulumi", "stack", "import", "--stack", "staging", given=json.dumps(exported)).ok()
    refused = lane.release("recover", "staging", "--yes", "--json")
    assert refused.code == 4, refused.err
    assert "was left alone" in refused.data["what"]
    assert "serves users" in refused.data["what"]
    assert f"{lane.project}-staging-{live}" in services(lane)
    lane.run_with("pulumi", "stack", "import", "--stack", "staging", given=saved).ok()
    assert lane.release("smoke", "staging").code == 0


def test_the_second_of_two_waits_and_learns_of_which_run_the_first_is(lane: Checkout) -> None:
    ci = {
        "GITHUB_SERVER_URL": "https://ci.example", "GITHUB_REPOSITORY": "team/service", "GITHUB_RUN_ID": "7",
        "GITHUB_ACTOR": "ann",
    }  # fmt: skip
    lane.variables.update(ci)
    with lane.started("rollback", "staging", "--yes") as first:
        for name in ci:
            del lane.variables[name]
        with lane.standing_still("staging") as go_on:
            at_once = lane.release("heal", "staging")
            with lane.started("heal", "staging", "--lock-wait", "5m") as waiting:
                told = says(waiting, "waiting for it")
                go_on()
                told += waiting.communicate()[1]
        first.communicate()
    assert first.returncode == 0
    run = "`release rollback staging "
    where = "by ann in https://ci.example/team/service/actions/runs/7"
    assert at_once.code == 4, at_once.err
    assert run in at_once.err
    assert where in at_once.err
    assert waiting.returncode == 0, told
    assert told.count("waiting for it") == 1
    assert where in told
    assert not lane.notes("staging"), "no note outlives its engine"


@pytest.mark.long
@pytest.mark.usefixtures("standby")
def test_a_rollback_is_sent_to_a_topic_and_to_a_webhook_that_is_a_secret(lane: Checkout) -> None:
    sns, sqs = lane.aws("sns"), lane.aws("sqs")
    topic = sns.create_topic(Name=f"{lane.project}-releases")["TopicArn"]
    queue = sqs.create_queue(QueueName=f"{lane.project}-releases")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    with listening() as (url, posted):
        secret = lane.aws("secretsmanager").create_secret(Name=f"{lane.project}-hook", SecretString=url)["ARN"]
        notify = f"  {lane.project}:notify:\n    topic: {topic}\n    webhook: {secret}\n    events: [rollback]\n"
        settings = lane.folder / "Pulumi.staging.yaml"
        before = settings.read_text()
        settings.write_text(before.replace("config:\n", f"config:\n{notify}", 1))
        try:
            done = lane.release("rollback", "staging").ok()
        finally:
            settings.write_text(before)
    assert "was not delivered" not in done.err
    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    told = json.loads(json.loads(message["Body"])["Message"])
    live = lane.status("staging")["digest"]
    assert (told["event"], told["environment"], told["digest"]) == ("rollback", "staging", live)
    (body,) = posted
    assert (body["event"], body["digest"]) == ("rollback", live)


@contextmanager
def listening() -> Iterator[tuple[str, list[Any]]]:
    """A webhook on loopback: its URL, and what was posted to it."""
    posted: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/hook", posted
        server.shutdown()


@pytest.mark.long
@pytest.mark.usefixtures("standby")
def test_everything_with_a_name_is_found_again_by_what_the_state_says_of_it(
    lane: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in lane.variables.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    session.forget()
    access = Access(region="us-east-1", account="000000000000")
    looked = set()
    for stack in ("staging", "artifacts"):
        for each in lane.run("pulumi", "stack", "export", "--stack", stack).ok().data["deployment"]["resources"]:
            if each["type"] in LOOKED_UP:
                looked.add(each["type"])
                found = existing(access, each["type"], each["inputs"])
                assert found is not None, each["urn"]
                assert found.id == each["id"]
                assert existing(access, each["type"], nowhere(each["inputs"])) is None, each["urn"]
    session.forget()
    # Databases and caches: tests/stories/test_database.py.
    assert looked == {each for each in LOOKED_UP if not each.startswith(("aws:rds/", "aws:elasticache/"))}


def nowhere(inputs: dict[str, Any]) -> dict[str, Any]:
    """The same, but of a name, a port, a network, a security group or a tag that there is not."""
    other = {"name": "not-there", "port": 4711, "cidrBlock": "10.99.0.0/24"}
    if not other.keys() & inputs.keys():
        other |= {"vpcId": "vpc-00000000", "securityGroupId": "sg-00000000", "tags": {"Name": "not-there"}}
    return {**inputs, **{key: value for key, value in other.items() if key in inputs}}


@pytest.mark.long
def test_a_lock_in_s3_is_read_explained_and_removed(lane: Checkout) -> None:
    bucket, key = f"{lane.project}-state", "AWS_ENDPOINT_URL"
    s3 = lane.aws("s3")
    s3.create_bucket(Bucket=bucket)
    endpoint = lane.variables[key].removeprefix("http://")
    query = f"region=us-east-1&endpoint={endpoint}&disableSSL=true&s3ForcePathStyle=true"
    backend = {"PULUMI_BACKEND_URL": f"s3://{bucket}/states?{query}", "PULUMI_CONFIG_PASSPHRASE": "of this test"}
    _without_keys(lane.folder / "Pulumi.artifacts.yaml")
    lane.run("pulumi", "stack", "init", "artifacts", "--no-select", "--non-interactive", **backend).ok()
    lock = {"pid": 4711, "username": "ann", "hostname": "ci-7", "timestamp": "2026-01-02T03:04:05.678Z"}
    path = f"states/.pulumi/locks/organization/{lane.project}/artifacts/0b7b5d1e-0000-4000-8000-000000000000.json"
    s3.put_object(Bucket=bucket, Key=path, Body=json.dumps(lock).encode())

    def recover(*options: str) -> Any:
        return lane.run("python", "-m", "release_lane.command", "recover", "artifacts", *options, **backend)

    refused = recover("--yes")
    assert refused.code == 4, refused.err
    assert "ann@ci-7 (process 4711) since 2026-01-02T03:04:05Z" in refused.err
    assert "--lock-owner-is-dead" in refused.err
    recovered = recover("--yes", "--lock-owner-is-dead", "--json")
    assert recovered.code == 0, recovered.err
    assert recovered.data["done"] == ["remove the lock"]
    assert not s3.list_objects_v2(Bucket=bucket, Prefix="states/.pulumi/locks/").get("Contents")
    lane.git("restore", "Pulumi.artifacts.yaml")


def _without_keys(stack_file: Path) -> None:
    """Take out what the stack in the other backend encrypts its secrets with: `stack init` writes its own."""
    kept = {key: value for key, value in yaml.safe_load(stack_file.read_text()).items() if key not in OF_AN_ACCOUNT}
    stack_file.write_text(yaml.safe_dump(kept))
