"""Each call of the gates times each fault: users stay served, no update lies, and the next one gets there.

A sample in an ordinary run; everything in `make soak`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
from release_lane.aws import patience, session
from release_lane.gates.__main__ import provider
from release_lane.probe import Probe
from tests.kit.serving import served

from tests.faults.matrix import Case, calls_in_source, every_call, every_place, missing, quick, sampled, whole
from tests.faults.proxy import ALWAYS, Fault
from tests.faults.record import recorded
from tests.faults.small_engine import Ended, SmallEngine
from tests.faults.stories import STORIES, Scene
from tests.stories.cloud import weights

FRESH = itertools.count(1)
SAMPLE, PLACES_SAMPLE, WHOLE_SAMPLE = 9, 3, 1
PLACES = every_place()


@pytest.mark.pure
def test_every_call_of_the_gates_is_in_the_matrix() -> None:
    """A call that is new in release_lane/aws: `python -m tests.faults.record`, perhaps with a story that makes it."""
    assert missing(recorded()) == set()


@pytest.mark.pure
def test_calls_are_read_off_the_source_however_they_are_written() -> None:
    source = """
def f(self, cloud, access):
    self.ecs.describe_services(cluster="c")
    cloud.elb.get_paginator("describe_rules").paginate()
    client(access, "cloudwatch").get_metric_data()
    self.elb.exceptions.ClientError("none")
    self.names.of("none")
"""
    assert set(calls_in_source(source)) == {
        *("ecs:DescribeServices", "elasticloadbalancing:DescribeRules", "monitoring:GetMetricData"),
    }


@pytest.mark.pure
def test_the_sample_has_every_fault() -> None:
    sample = [*sampled(quick(every_call()), SAMPLE), *sampled(PLACES, PLACES_SAMPLE)]
    assert {case.fault for case in sample} == set(Fault)
    assert {case.times < ALWAYS for case in sample} == {True, False}
    assert len({case.call for case in sample}) > SAMPLE / 2


@dataclass
class Users:
    """A prober during all cases."""

    probe: Probe

    def begin(self, case: object) -> None:
        self.probe.mark(str(case))

    def check(self, case: object) -> None:
        counts = self.probe.snapshot().step(str(case))
        assert counts.sent > 0
        assert (counts.failed, counts.mixed) == (0, 0), f"{case}: {counts}"


@pytest.fixture(scope="module")
def scene(scene: Scene) -> Scene:
    return scene.begun()


@pytest.fixture(scope="module")
def users(scene: Scene) -> Iterator[Users]:
    with Probe(scene.stack.url + "/api/v1/status", 50, timeout=20) as probe:
        yield Users(probe)


@pytest.fixture(scope="module")
def engine(scene: Scene) -> Iterator[SmallEngine]:
    with pytest.MonkeyPatch.context() as patched, served(provider()) as client:
        for name, value in scene.stack.lane.variables.items():
            if name.startswith("AWS_"):
                patched.setenv(name, value)
        # The program does not run in its folder: the gates share its process, and look for smoke/ in this one.
        patched.delenv("LOCAL_AWS_HOME", raising=False)
        patched.setenv("AWS_ENDPOINT_URL", scene.proxy.url)
        patched.setenv(patience.SECONDS_VARIABLE, "8")
        yield SmallEngine(scene.stack, client)
    session.forget()


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Credentials that never expired, and clients made with them."""

    def renew() -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", f"fresh{next(FRESH)}")
        session.forget()

    return renew


@pytest.mark.cloud
@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", [*sampled(quick(every_call()), SAMPLE), *sampled(PLACES, PLACES_SAMPLE)], ids=str)
def test_users_stay_served_and_the_next_update_gets_there(
    case: Case, scene: Scene, engine: SmallEngine, users: Users, fresh: Callable[[], None]
) -> None:
    live, wanted = _switched(scene, engine)
    asked = {"imageDigest": wanted, "rollbackFrom": live} if case.story == "traffic_only" else {}
    fresh()
    users.begin(case)
    scene.proxy.begin()
    struck = scene.proxy.inject(case.fault, case.call, skip=case.skip, times=case.times)
    ended = engine.up(**asked)
    scene.proxy.heal()
    assert struck.struck, f"{case.call} did not come {case.skip + 1} times"
    assert set(scene.proxy.counted()) <= set(recorded()["traffic_only"]), (
        "a call that no recorded traffic-only switch makes"
    )
    _is_true(case, scene, engine, ended, {live, wanted} if asked else {live})
    fresh()
    after = engine.up(**asked if not ended.ok else {})
    assert after.ok, f"the next update: {after.error}"
    expected = wanted if asked else live
    assert engine.record["imageDigest"] == expected == scene.stack.served()["digest"]
    users.check(case)


def _switched(scene: Scene, engine: SmallEngine) -> tuple[str, str]:
    """The live digest by the record, and the other one."""
    live = str(engine.record["imageDigest"])
    return live, scene.images.two if live == scene.images.one else scene.images.one


def _is_true(case: Case, scene: Scene, engine: SmallEngine, ended: Ended, may_serve: set[str]) -> None:
    """What the update said is so, and users are on one whole release."""
    digest = scene.stack.served()["digest"]
    assert sorted(weights(scene.stack).values()) == [0, 100]
    assert digest in may_serve
    if ended.ok:
        assert engine.record["imageDigest"] == digest, "a false success"
        return
    assert not case.passes, f"this should have been waited for: {ended.error}"
    assert "Kind: " in ended.error, ended.error
    assert "Traceback" not in ended.error
    assert "INTERNAL" not in ended.error


@pytest.mark.cloud
@pytest.mark.long
@pytest.mark.story
@pytest.mark.real
@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", sampled(whole(every_call()), WHOLE_SAMPLE), ids=str)
def test_the_same_with_the_whole_engine(case: Case, scene: Scene) -> None:
    """Calls that only a first release, a refusal, a repair by hand or a destroy make."""
    story = STORIES[case.story]
    stage = _new(scene, releases=RELEASES[case.story])
    live = stage.live
    struck = stage.proxy.inject(case.fault, case.call, skip=case.skip, times=case.times)
    ended = story(stage, stage.behind(f"fresh{next(FRESH)}"))
    stage.proxy.heal()
    assert struck.struck
    assert "Traceback" not in ended.text
    if case.story in ("refusal", "overdue"):
        assert not ended.ok
        if case.story == "refusal":
            assert "Kind: CheckFailed" in ended.text, "it is refused for what the image is, whatever AWS did"
        assert stage.stack.served()["digest"] == stage.live == live
        healed = stage.stack.up()
        assert healed.ok, healed.text
        stage.stack.destroy()
        return
    assert ended.ok or "Kind: " in ended.text, ended.text
    assert ended.ok or not case.passes, ended.text
    again = ended if ended.ok else story(stage, stage.stack)
    assert again.ok, again.text
    if case.story == "by_hand":
        assert stage.stack.served()["digest"] == stage.live == live
    if case.story in ("first", "stepped"):
        assert stage.stack.served()["digest"] == stage.images.one
    stage.stack.destroy()


_NUMBER = itertools.count(1)


RELEASES = {"first": 0, "stepped": 1, "overdue": 1, "destroy": 1, "refusal": 2, "by_hand": 2}
"""How many releases a story begins after. Two: the idle colour holds one as well."""


def _new(scene: Scene, *, releases: int) -> Scene:
    """An environment of its own: what the small engine did to the other one is not in that one's state."""
    made = replace(scene, stack=scene.stack.lane.environment(f"f{next(_NUMBER)}", smoke={"deadlineSeconds": 8}))
    for digest in (made.images.two, made.images.one)[2 - releases :]:
        released = made.stack.up(imageDigest=digest)
        assert released.ok, released.text
    return made
