"""What earlier versions left behind is read as what it meant then.

`fixtures/<version>` holds parts of a state, the containers of both task definitions and the tags of the production
rule. Those of 0.3.0 are as that version left them on the local cloud (`fixtures/capture.py`), with a database and
migrations; those of the two commits as well, by an earlier form of that file (commit b05f6de5). Those of 0.2.0 are what
its writers write. What they mean is spelled out here, by hand; the other things that 0.3.0 left are in
test_kept_moments.py.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from provider_kit import Context, Resource, State
from release_lane.engine.state import Held, StackState
from release_lane.errors import Refused
from release_lane.gates.image import Image
from release_lane.gates.migration import MigrationGate
from release_lane.gates.passes import Pass
from release_lane.gates.rollout import Rollout
from release_lane.gates.smoke import SmokeGate
from release_lane.gates.switch import TrafficSwitch
from release_lane.record.alarms import Watched
from release_lane.record.asking import Asked, Identify
from release_lane.record.container import LABEL, OF_DATABASE, container_definition, release_in
from release_lane.record.course import Course
from release_lane.record.decisions import DecisionKind
from release_lane.record.digest import Digest
from release_lane.record.evidence import NOT_RECORDED, Proof
from release_lane.record.inputs import (
    SCHEMA,
    ImageInputs,
    MigrationInputs,
    RolloutInputs,
    SmokeInputs,
    SwitchInputs,
    WatchInputs,
)
from release_lane.record.journal import End, Journal, Phase
from release_lane.record.names import Access, Names
from release_lane.record.placement import Colour, Release, Service, all_on
from release_lane.record.records import OUTPUTS, Known, Located, Recorded
from release_lane.record.revisions import Revisions, Schema
from release_lane.record.table import Table
from tests.gates.fake_cloud import FakeCloud, holding

pytestmark = pytest.mark.pure

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
BLUE, GREEN = Colour.BLUE, Colour.GREEN
SERVICE = Service(
    cpu=256,
    memory=512,
    desired_count=2,
    port=8080,
    health_path="/health",
    status_path="/api/v1/status",
    identify=Identify.STATUS,
    env={"LOG_LEVEL": "info", "EMPTY": "", "GREETING": "a=b, 'c'"},
    secrets={},
)
BETTER_COMMIT = "6265747465720000000000000000000000000000"
ORDER_UNKNOWN = (
    "the order of commits is not known: not a git repository (or any of the parent directories): .git; a history of "
    "another repository has to be fetched into this checkout: `git fetch REPOSITORY`"
)


@dataclass(frozen=True, kw_only=True)
class Left:
    """What an environment left in one folder of the fixtures."""

    name: str

    def read(self, name: str) -> Any:
        return json.loads((FIXTURES / self.name / f"{name}.json").read_text())

    @property
    def state(self) -> StackState:
        kept = self.read("state")
        return StackState.of(kept["stack"], "release-lane", kept)

    def gate(self, kind: str) -> State:
        """As the engine hands it to the provider."""
        resources = self.read("state")["deployment"]["resources"]
        (found,) = [each for each in resources if each["type"] == f"release:index:{kind}"]
        return State(id=found["id"], inputs=found["inputs"], outputs=found["outputs"])


@dataclass(frozen=True, kw_only=True)
class Version(Left):
    """What two releases of one environment left: `good` on blue, then `better` on green."""

    mark: str
    good: Release
    better: Release
    ids: tuple[str, str]
    at: tuple[str, str]
    smoke: str
    run: str
    deployment: str
    reason: str
    unchecked: tuple[str, ...]
    """What the switch was given, and its proof says."""
    seen: tuple[str, ...]
    """What the image gate was given, and its pass says."""
    first_unchecked: tuple[str, ...]
    """What the proof of the first release says."""
    checks: tuple[str, ...] = ()
    """Of the proofs of both."""
    migrated: tuple[str, str] = ("", "")
    tables: tuple[Table, ...] = ()
    """What the smoke checks of the second release reported."""
    located: Located = field(default_factory=Located)
    tasks: Mapping[str, str] = field(default_factory=dict)
    """What was handed on of where the environment is, and of what passed."""
    given: tuple[str, ...] = ()
    """Variables of the environment in the containers."""

    def __str__(self) -> str:
        return self.name

    @property
    def prefix(self) -> str:
        return f"release-lane-kept-{self.mark}"

    @property
    def names(self) -> Names:
        return Names(
            access=Access(region="us-east-1", account="000000000000"),
            cluster=self.prefix,
            load_balancer=self.prefix,
            services={BLUE: f"{self.prefix}-blue", GREEN: f"{self.prefix}-green"},
            target_groups={BLUE: f"{self.prefix}-blue", GREEN: f"{self.prefix}-green"},
            test_ports={BLUE: 9001, GREEN: 9002},
            users_port=80,
            container="app",
            log_group=f"/release-lane/kept-{self.mark}",
            repository=f"lane-{self.mark}/app",
        )

    @property
    def proofs(self) -> tuple[Proof, Proof]:
        first, second = (
            Proof(
                digest=release.digest,
                commit=release.commit,
                release_id=id_,
                at=at,
                smoke=self.smoke,
                checks=self.checks,
                migrated=migrated,
            )
            for release, id_, at, migrated in zip(
                (self.good, self.better), self.ids, self.at, self.migrated, strict=True
            )
        )
        return (
            replace(first, unchecked=self.first_unchecked),
            replace(second, unchecked=self.unchecked, tables=self.tables),
        )

    @property
    def first(self) -> Recorded:
        return Recorded(live_colour=BLUE, live=self.good, history=(self.good,), evidence=self.proofs[:1])

    @property
    def record(self) -> Recorded:
        return Recorded(
            live_colour=GREEN,
            live=self.better,
            previous=self.good,
            history=(self.good, self.better),
            evidence=self.proofs,
        )

    @property
    def task_definition(self) -> str:
        return f"arn:aws:ecs:us-east-1:000000000000:task-definition/{self.prefix}-green:2"

    @property
    def of_image(self) -> Pass:
        known = frozenset({str(self.better.digest)} if self.tasks else ())
        return Pass(digest=self.better.digest, run=self.run, unchecked=self.seen, manifests=known)

    @property
    def of_migration(self) -> Pass:
        return replace(self.of_image, migrated=self.migrated[1])

    @property
    def of_rollout(self) -> Pass:
        return replace(
            self.of_migration,
            colour="green",
            taskDefinition=self.task_definition,
            deployment=self.deployment,
            tasks=self.tasks,
        )

    @property
    def of_smoke(self) -> Pass:
        return replace(self.of_rollout, tables=self.tables)

    @property
    def gate_before_rollout(self) -> str:
        return "Migration" if self.given else "Image"

    @property
    def switch(self) -> SwitchInputs:
        alarms = {f"{self.prefix}-blue-errors": BLUE, f"{self.prefix}-green-errors": GREEN}
        return SwitchInputs(
            active=True,
            names=self.names,
            decision=DecisionKind.DEPLOY,
            reason=self.reason,
            live=GREEN,
            release=self.better,
            weights=all_on(GREEN),
            expected=all_on(BLUE),
            standing=self.first,
            smoke_deadline=10.0,
            course=Course(steps=(100,), bake=0.0, home=BLUE, goes_back=False),
            unchecked=self.unchecked if self.name != "234bf85" else (),
            watch=WatchInputs(
                alarms=Watched(own=alarms), proceeds=False, period=WATCH_PERIOD, late=WATCH_LATE, datapoints=1
            ),
            idle_tasks=None,
            located=self.located,
            pass_of_before=self.gate("SmokeGate").outputs["passedFor"],
        )


WATCH_PERIOD, WATCH_LATE = 60.0, 120.0


def release(digest: str, commit: str) -> Release:
    return Release(digest=Digest(f"sha256:{digest}"), commit=commit, service=SERVICE)


def migrating(digest: str, name: str, revision: str) -> Release:
    """One of 0.3.0, whose image leads the schema to a revision. Its commit is the name of its image."""
    key = "arn:aws:secretsmanager:us-east-1:000000000000:secret:kept-aba2-c3c5a2"
    return replace(
        release(digest, name.encode().hex().ljust(40, "0")),
        service=replace(SERVICE, secrets={"KEY": key}),
        revisions=Revisions(needs=("r1", "r2"), provides=revision),
    )


OF_TEMPLATE = ("url", "testUrls", "loadBalancer", "database")
"""Outputs of a stack that are no part of the record."""
NO_VERSION = "secrets without a version in the ARN may change under this release: KEY"
BALANCER = "app/release-lane-kept-aba2/015bb650380f2643"
IN_AWS = "arn:aws:elasticloadbalancing:us-east-1:000000000000"
GOOD = "74eddd8ac8e859e198bc567b66e0879d44732fe09809f5486638fa26d489abc8"
BETTER = "f47b117b06f45fca616cefb25dfea99d3bd68cf8e0f47caf555cc2fd11105cbc"
CHECKS = (
    "test_health_answers",
    "test_status_says_ok",
    *(f"test_every_answer_comes_from_the_release_that_was_meant[{part}]" for part in ("digest", "colour", "commit")),
    *(f"test_every_answer_names_a_release[{part}]" for part in ("digest", "colour")),
    *(f"test_headers_and_body_name_the_same_release[{part}]" for part in ("digest", "colour")),
    "test_an_unknown_path_gives_404",
    *(f"test_it_computes_checksums[{algorithm}]" for algorithm in ("sha256", "sha3-256")),
    "test_it_says_which_algorithms_it_knows",
)


def compared(live: str, new: str) -> Table:
    return Table(
        title="Recorded requests, answered by the live release and by the new one",
        head=("what", "live", "new", "verdict"),
        rows=(
            ("sha256 of abc", "200", "200", "same"),
            ("sha3-256 of abc", "200", "200", "same"),
            ("latency, median", live, new, "within 2 times and 1 s"),
            (
                *("share of answers with the expected checksum", "1", "1"),
                "held: baseline 1, tolerance 0, higher is better",
            ),
        ),
    )


def unordered(release: Release) -> str:
    return (
        f"the order of commits is not known: Not a valid commit name {release.commit}; a history of another repository "
        "has to be fetched into this checkout: `git fetch REPOSITORY`"
    )


VERSIONS = [
    Version(
        name="234bf85",
        mark="d35d",
        good=release(
            "62d77fbc75694df1e3fda0574076389ee077f30414ef78ba88123a15eff1b393",
            "a0ad51d33840dbc85ae703ad613b5e8aa73cb6e4",
        ),
        better=release("8d41ad9914279c0699acf055a8b97f3a412a9ebca9868e34f65ae2a93d14cace", BETTER_COMMIT),
        ids=("9ba478f2f2f7", "afa66c107ae4"),
        at=("2026-11-28T23:43:10+00:00", "2026-11-28T23:43:18+00:00"),
        smoke="11 checks passed",
        run="ae87b59e35f543f49c88d5959d9edd17",
        deployment="ecs-svc/8939529059364478023",
        reason="a new image",
        unchecked=(NOT_RECORDED,),
        seen=(),
        first_unchecked=(NOT_RECORDED,),
    ),
    Version(
        name="48585d5",
        mark="05f1",
        good=release(
            "d49ee1a05f3a71c3447836ed1f94ae75f4902b559c205d8702bb0d6661f03b5f",
            "616b39e27e019fa5d5d0ea47f5191e6e99c4a6af",
        ),
        better=release("a9870d2de18fc6738cdd4e537bc6060bf30f18b7c7c948844542eb9c0ae26bcf", BETTER_COMMIT),
        ids=("9307446883ab", "136146ccf3e5"),
        at=("2026-11-28T23:43:47+00:00", "2026-11-28T23:43:58+00:00"),
        smoke="13 checks passed",
        run="ddf1617798d04b409abbf04e37505fc7",
        deployment="ecs-svc/9012864989402364867",
        reason="a new image; the order of commits is not known",
        unchecked=(ORDER_UNKNOWN,),
        seen=(ORDER_UNKNOWN,),
        first_unchecked=(),
    ),
    Version(
        name="0.2.0",
        mark="0200",
        good=release(
            "3e48c8c7d94702b6bba088ea7b3982c296a29a26ecb24099c5103e23d6e6f68b",
            "45b3c0db5bbf402e7bcb50f1e9947249f5f30c96",
        ),
        better=release("e2c2d42a01c5709374c38fb9682802a9df65deb9917ffb77b5252131771b74c5", BETTER_COMMIT),
        ids=("b0d2d7471846", "a228c21fac48"),
        at=("2026-11-29T00:10:00+00:00", "2026-11-29T00:10:10+00:00"),
        smoke="13 checks passed",
        run="0f2c6c0ab7a94d1f9a3f6a1a7f6f2d11",
        deployment="ecs-svc/9012864989402364868",
        reason="a new image; the order of commits is not known",
        unchecked=(ORDER_UNKNOWN,),
        seen=(),
        first_unchecked=(),
    ),
    Version(
        name="0.3.0",
        mark="aba2",
        good=migrating(GOOD, "good", "r1"),
        better=migrating(BETTER, "better", "r2"),
        ids=("00bf76ff911d", "5b4c29f26c42"),
        at=("2026-11-30T19:33:25+00:00", "2026-11-30T19:34:08+00:00"),
        smoke="13 checks passed",
        run="5f551f6f724845248c8f4bec8938a3f7",
        deployment="ecs-svc/4962276427818242362",
        reason="a new image",
        unchecked=(NO_VERSION, unordered(migrating(BETTER, "better", "r2"))),
        seen=(NO_VERSION,),
        first_unchecked=(NO_VERSION, "recorded requests: nothing is live that they could be compared with"),
        checks=CHECKS,
        migrated=("from an unknown revision to r1", "from r1 to r2"),
        tables=(compared("37 ms", "24 ms"),),
        located=Located(
            dns_name="127.0.11.1",
            listener=f"{IN_AWS}:listener/{BALANCER}/7b21dfd6b2e75018",
            rule=f"{IN_AWS}:listener-rule/{BALANCER}/7b21dfd6b2e75018/117051d3f8556a23",
            target_groups={
                BLUE: f"{IN_AWS}:targetgroup/release-lane-kept-aba2-blue/aced04c6f14398bf",
                GREEN: f"{IN_AWS}:targetgroup/release-lane-kept-aba2-green/107844d8705a0ce5",
            },
        ),
        tasks={"172.22.0.5": f"sha256:{BETTER}", "172.22.0.6": f"sha256:{BETTER}"},
        given=OF_DATABASE,
    ),
]
"""What each version wrote. A new layout gets a folder and an entry of its own; no other is changed."""

each_version = pytest.mark.parametrize("version", VERSIONS, ids=str)


def test_each_kept_version_is_spelled_out_here() -> None:
    assert {path.name for path in FIXTURES.iterdir() if path.is_dir() and path.name != "__pycache__"} == {
        version.name for version in VERSIONS
    }


# ---- the record


@each_version
def test_the_record_of_a_stack_is_read(version: Version) -> None:
    assert version.state.recorded == version.record
    assert Recorded.from_outputs(version.gate("TrafficSwitch").outputs) == version.record


@each_version
def test_a_release_keeps_its_id(version: Version) -> None:
    """It is written down in the record, the journal and the container: another one would be another release."""
    assert (version.good.id, version.better.id) == version.ids


@each_version
def test_the_record_is_written_as_it_was(version: Version) -> None:
    """Another stack, or a script, finds each output under its name and with its meaning."""
    outputs = version.state.outputs
    written = {**version.record.as_outputs(), "url": outputs["url"]}
    assert set(written) == set(OUTPUTS) == {"url", *(outputs.keys() - {*OF_TEMPLATE})}
    assert {key: written[key] for key in OUTPUTS if key != "evidence"} == {
        key: outputs[key] for key in OUTPUTS if key != "evidence"
    }


@each_version
def test_what_each_colour_was_given_is_read(version: Version) -> None:
    assert version.state.held == {
        BLUE: Held(release=version.good, tasks=2),
        GREEN: Held(release=version.better, tasks=2),
    }


# ---- the label of a task definition


@each_version
def test_a_running_container_says_which_release_it_is(version: Version) -> None:
    containers = version.read("containers")
    assert {colour: release_in(containers[colour], "app") for colour in Colour} == {
        BLUE: version.good,
        GREEN: version.better,
    }


@each_version
def test_an_upgrade_writes_the_same_container(version: Version) -> None:
    """Another one would start all tasks anew. The label of the first version repeated all variables; what it holds is
    not written again until the next release."""
    for colour, held in ((BLUE, version.good), (GREEN, version.better)):
        (kept,) = version.read("containers")[colour]
        values = {each["name"]: each["value"] for each in kept["environment"]}
        written = container_definition(
            held,
            colour,
            repository=f"000000000000.dkr.ecr.us-east-1.amazonaws.com/lane-{version.mark}/app",
            container="app",
            log_group=f"/release-lane/kept-{version.mark}",
            region="us-east-1",
            given={name: values[name] for name in version.given},
        )
        if version.name != "234bf85":
            assert written["dockerLabels"][LABEL] == kept["dockerLabels"][LABEL]
        assert {key: kept[key] for key in ("image", "environment", "secrets", "logConfiguration")} == {
            key: written[key] for key in ("image", "environment", "secrets", "logConfiguration")
        }


# ---- the journal


@each_version
def test_the_journal_is_read_and_written_as_it_was(version: Version) -> None:
    tags = version.read("tags")
    blue, green = version.ids
    journal = Journal(
        source=End(BLUE, version.good.digest, blue), to=End(GREEN, version.better.digest, green), phase=Phase.MOVED
    )
    assert Journal.from_tags(tags) == journal
    assert journal.as_tags() == tags


# ---- inputs and outputs of the gates


@each_version
def test_the_image_gates_inputs_are_read(version: Version) -> None:
    assert ImageInputs.from_dict(version.gate("Image").inputs) == ImageInputs(
        active=True, names=version.names, digest=version.better.digest, unchecked=version.seen
    )


@each_version
def test_the_rollout_gates_inputs_are_read(version: Version) -> None:
    assert RolloutInputs.from_dict(version.gate("Rollout").inputs) == RolloutInputs(
        active=True,
        names=version.names,
        digest=version.better.digest,
        colour=GREEN,
        tasks=2,
        task_definition=version.task_definition,
        deadline=300.0,
        port=8080,
        health_path="/health",
        starts=True,
        corrects=True,
        retry_of="",
        located=version.located,
        pass_of_before=version.gate(version.gate_before_rollout).outputs["passedFor"],
    )


@each_version
def test_the_smoke_gates_inputs_are_read(version: Version) -> None:
    assert SmokeInputs.from_dict(version.gate("SmokeGate").inputs) == SmokeInputs(
        active=True,
        names=version.names,
        digest=version.better.digest,
        colour=GREEN,
        deadline=10.0,
        commit=BETTER_COMMIT,
        asked=Asked(health_path="/health", status_path="/api/v1/status", identify=Identify.STATUS),
        compares=bool(version.tables),
        live=BLUE if version.tables else None,
        located=version.located,
        pass_of_before=version.gate("Rollout").outputs["passedFor"],
    )


@each_version
def test_the_switchs_inputs_are_read(version: Version) -> None:
    assert SwitchInputs.from_dict(version.gate("TrafficSwitch").inputs) == version.switch


def test_the_word_for_a_traffic_only_switch_was_another_one() -> None:
    inputs = {**VERSIONS[0].gate("TrafficSwitch").inputs, "decision": "flip"}
    assert SwitchInputs.from_dict(inputs) == replace(VERSIONS[0].switch, decision=DecisionKind.TRAFFIC_ONLY)


@each_version
def test_the_passes_are_read(version: Version) -> None:
    assert Pass.from_dict(version.gate("Image").outputs["passedFor"]) == version.of_image
    assert Pass.from_dict(version.gate("Rollout").outputs["passedFor"]) == version.of_rollout
    assert Pass.from_dict(version.gate("SmokeGate").outputs["passedFor"]) == version.of_smoke


def test_the_migration_gates_inputs_are_read() -> None:
    version = VERSIONS[-1]
    gate = version.gate("Migration")
    assert MigrationInputs.from_dict(gate.inputs) == MigrationInputs(
        active=True,
        names=version.names,
        digest=version.better.digest,
        command=("/bin/sh", "-c", "echo $MIGRATES; exec /venv/bin/alembic upgrade head"),
        task_definition=f"arn:aws:ecs:us-east-1:000000000000:task-definition/{version.prefix}-migration:2",
        subnets=["subnet-19030a19fa085d8aa", "subnet-697b070c45b200504"],
        groups=["sg-c38c51bc7d084afc5"],
        deadline=60.0,
        to="r2",
        passed=("r1",),
        pass_of_before=version.gate("Image").outputs["passedFor"],
    )
    assert Pass.from_dict(gate.outputs["passedFor"]) == version.of_migration


def test_the_schema_of_a_database_is_read() -> None:
    """By the output of the gate and the label of the task definition: one says what succeeded, one what began."""
    assert VERSIONS[-1].state.schema == Schema(passed=("r1", "r2"), begun="r2")


def test_this_version_writes_its_own_layout_until_it_gets_another_number() -> None:
    """A change of what is written is noticed here: then keep it as a new version's, and leave the old ones."""
    version = VERSIONS[-1]
    kinds: dict[str, Any] = {
        "Image": ImageInputs,
        "Migration": MigrationInputs,
        "Rollout": RolloutInputs,
        "SmokeGate": SmokeInputs,
        "TrafficSwitch": SwitchInputs,
    }
    for kind, inputs in kinds.items():
        kept = version.gate(kind).inputs
        written = inputs.from_dict(kept).as_dict()
        # The engine keeps no input that is null.
        assert {key: value for key, value in written.items() if value is not None} == kept
    outputs = version.state.outputs
    assert {**version.record.as_outputs(), **{key: outputs[key] for key in OF_TEMPLATE}} == outputs


# ---- what the gates do with what an earlier version left


def context() -> Context:
    return Context(config={}, cancelled=threading.Event(), log=lambda *_, **__: None, name="gate")


def cloud(version: Version) -> FakeCloud:
    """The environment as that version left it."""
    return FakeCloud(
        names=version.names,
        sides={BLUE: holding(version.good, "ecs-svc/1"), GREEN: holding(version.better, "ecs-svc/2", colour_number=2)},
        releases={BLUE: version.good, GREEN: version.better},
        weights=all_on(GREEN),
    )


def kept_by_this_version(version: Version) -> dict[str, Mapping[str, Any]]:
    """What this version gives its gates in an update that moves no traffic."""
    names, digest, live = version.names, version.better.digest, GREEN
    image = ImageInputs(active=False, names=names, digest=digest)
    rollout = RolloutInputs(
        active=False, names=names, digest=digest, colour=live, tasks=2, task_definition="arn:runs", deadline=300
    )
    smoke = SmokeInputs(active=False, names=names, digest=digest, colour=live, deadline=10)
    switch = replace(
        version.switch, active=False, decision=DecisionKind.KEEP, standing=version.record, located=Located()
    )
    return {
        "Image": image.as_dict(),
        "Rollout": rollout.as_dict(),
        "SmokeGate": smoke.as_dict(),
        "TrafficSwitch": switch.as_dict(),
    }


@each_version
def test_an_update_with_nothing_to_do_changes_no_gate_of_an_earlier_version(version: Version) -> None:
    at = cloud(version)
    gates: dict[str, Resource] = {
        "Image": Image(lambda _: at),  # type: ignore[arg-type,return-value]
        "Rollout": Rollout(lambda _: at),  # type: ignore[arg-type,return-value]
        "SmokeGate": SmokeGate(lambda _: at),  # type: ignore[arg-type,return-value]
        "TrafficSwitch": TrafficSwitch(lambda _: at),  # type: ignore[arg-type,return-value]
    }
    now = kept_by_this_version(version)
    changes = {kind: gate.diff(context(), version.gate(kind), dict(now[kind]), []) for kind, gate in gates.items()}
    assert changes == {kind: [] for kind in gates}
    assert at.writes == []


def test_an_update_that_runs_no_migration_changes_nothing_of_the_last_one() -> None:
    version = VERSIONS[-1]
    at, old = cloud(version), version.gate("Migration")
    now = replace(MigrationInputs.from_dict(old.inputs), active=False, to="", passed=("r1", "r2"))
    gate = MigrationGate(lambda _: at)  # type: ignore[arg-type,return-value]
    assert gate.diff(context(), old, now.as_dict(), []) == []
    assert at.writes == []


@each_version
def test_the_record_is_read_from_among_the_inputs_that_the_engine_keeps_with_it(version: Version) -> None:
    """They have a schema of their own."""
    outputs = {**version.switch.as_dict(), **version.record.as_outputs(), "url": "http://x"}
    old = State(id="traffic-switch", inputs=version.switch.as_dict(), outputs=outputs)
    at = cloud(version)
    switch = TrafficSwitch(lambda _: at)  # type: ignore[arg-type,return-value]
    assert switch.diff(context(), old, dict(kept_by_this_version(version)["TrafficSwitch"]), []) == []
    assert Recorded.from_outputs(outputs) == version.record


@each_version
def test_a_refresh_keeps_what_an_earlier_version_recorded(version: Version) -> None:
    old = version.gate("TrafficSwitch")
    found = TrafficSwitch().read(context(), old.id, dict(old.outputs), dict(old.inputs))
    assert found == (old.outputs, old.inputs)


@each_version
def test_a_switch_of_an_earlier_version_is_deleted_where_it_was(version: Version) -> None:
    at, asked = cloud(version), list[Names]()

    def cloud_of(names: Names) -> FakeCloud:
        asked.append(names)
        return at

    TrafficSwitch(cloud_of).delete(context(), version.gate("TrafficSwitch"))  # type: ignore[arg-type]
    assert asked == [version.names]
    assert at.writes == ["delete"]


# ---- this version, and later ones

LOCATED = Located(dns_name="lb", listener="arn:l", rule="arn:r", target_groups={BLUE: "arn:b", GREEN: "arn:g"})
KNOWN = Known(image="sha256:1", release="r", task_definition="arn:x", deployment="d", tasks={"10.0.0.1": "sha256:2"})

WRITTEN: list[tuple[Any, Any]] = [
    (ImageInputs, ImageInputs(active=True, names=VERSIONS[0].names, digest="sha256:1", unchecked=("a", "b"))),
    (
        MigrationInputs,
        MigrationInputs(
            active=True,
            names=VERSIONS[0].names,
            digest="sha256:1",
            command=("migrate", "up"),
            task_definition="arn:x",
            subnets=["subnet-1"],
            groups=["sg-1"],
            deadline=1.5,
            to="r2",
            passed=("r0", "r1"),
            pass_of_before={"run": "x"},
        ),
    ),
    (
        RolloutInputs,
        RolloutInputs(
            active=True,
            names=VERSIONS[0].names,
            digest="sha256:1",
            colour=BLUE,
            tasks=3,
            task_definition="arn:x",
            deadline=1.5,
            port=3000,
            health_path="/healthz",
            starts=True,
            corrects=True,
            retry_of="ecs-svc/1",
            located=LOCATED,
            known=KNOWN,
            pass_of_before={"run": "x"},
        ),
    ),
    (
        SmokeInputs,
        SmokeInputs(
            active=True,
            names=VERSIONS[0].names,
            digest="sha256:1",
            colour=BLUE,
            deadline=1.5,
            commit="c",
            asked=Asked(health_path="/healthz", status_path="", identify=Identify.NONE),
            located=LOCATED,
            pass_of_before={"run": "x"},
        ),
    ),
    (
        SwitchInputs,
        replace(
            VERSIONS[0].switch,
            decision=DecisionKind.TRAFFIC_ONLY,
            course=Course(steps=(10, 100), bake=30.0, home=GREEN, goes_back=True),
            watch=WatchInputs(alarms=Watched(theirs=("a",)), proceeds=True, period=1.0, late=2.0, datapoints=3),
            unchecked=("a",),
            idle_tasks=0,
            expected=None,
            located=LOCATED,
            known=KNOWN,
        ),
    ),
]
"""With no value that is a default, so that none can be forgotten."""


@pytest.mark.parametrize(("kind", "written"), WRITTEN, ids=[kind.__name__ for kind, _ in WRITTEN])
def test_what_this_version_hands_to_a_gate_is_what_the_gate_reads(kind: Any, written: Any) -> None:
    value = json.loads(json.dumps(written.as_dict()))
    assert value["schema"] == SCHEMA
    assert kind.from_dict(value) == written


@pytest.mark.parametrize(("kind", "written"), WRITTEN, ids=[kind.__name__ for kind, _ in WRITTEN])
def test_what_a_later_version_wrote_is_refused_and_not_guessed_at(kind: Any, written: Any) -> None:
    with pytest.raises(Refused, match="was written by a later version of the lane"):
        kind.from_dict({**written.as_dict(), "schema": SCHEMA + 1})


def test_a_layout_that_is_no_number_is_refused() -> None:
    with pytest.raises(Refused, match="its release-lane:schema is 'x', which is no number"):
        Journal.from_tags({**VERSIONS[-1].read("tags"), "release-lane:schema": "x"})


def test_a_record_a_label_and_a_journal_of_a_later_version_are_refused() -> None:
    version = VERSIONS[-1]
    label = json.dumps({"commit": "", "service": SERVICE.as_dict(), "schema": 3})
    container = {"name": "app", "image": "x@sha256:1", "dockerLabels": {LABEL: label}}
    readers = (
        lambda: Recorded.from_outputs({**version.state.outputs, "recordSchema": 3}),
        lambda: release_in([container], "app"),
        lambda: Journal.from_tags({**version.read("tags"), "release-lane:schema": "2"}),
    )
    for reader in readers:
        with pytest.raises(Refused, match="was written by a later version of the lane"):
            reader()
