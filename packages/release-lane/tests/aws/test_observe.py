"""An environment as it is now: asked for side by side, and read as the tasks themselves tell it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from release_lane.aws import observe, patience
from release_lane.aws.cloud import Balancer, Cloud, submit
from release_lane.aws.observe import account_checked_meanwhile, observed
from release_lane.errors import CloudError, Refused
from release_lane.record.alarms import Watched
from release_lane.record.certificate import Certificate
from release_lane.record.container import container_definition, repository_in
from release_lane.record.contract import Labels
from release_lane.record.digest import Digest
from release_lane.record.names import Access, Names
from release_lane.record.placement import Colour, Release, Service
from release_lane.record.records import GroupCheck, Observed
from release_lane.watch.rollout import Deployment, Reading, Target, Task

from tests.patience import PATIENCE

pytestmark = pytest.mark.pure

INDEX, PLATFORM = (Digest(f"sha256:{letter * 64}") for letter in "ab")
OURS = Release(digest=INDEX, service=Service(), commit="c" * 40)
REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


def running(digest: str) -> Reading:
    """Two tasks that run this manifest, healthy."""
    return Reading(
        exists=True,
        wanted=2,
        task_definition="app:1",
        deployments=(Deployment(id="ecs-svc/1", primary=True, task_definition="app:1", state="COMPLETED"),),
        tasks=tuple(
            Task(arn=f"task/{ip}", deployment="ecs-svc/1", status="RUNNING", digest=digest, ip=ip) for ip in "12"
        ),
        targets=tuple(Target(ip=ip, state="healthy") for ip in "12"),
    )


class OneEnvironment(Cloud):
    """Both colours run the same; the registry has one image of two platforms, in `lane/app`."""

    def __init__(self, repository: str, reading: Reading) -> None:
        self.names = Names.of_stack(
            "lane", "staging", access=Access(region="us-east-1", account="123456789012"), repository=repository
        )
        self.reading = reading
        self.groups: dict[Colour, Any] = {}
        self.asked: list[str] = []

    def balancer(self, *_: Any, **__: Any) -> Balancer:
        return Balancer()

    def described_groups(self) -> dict[Colour, Any]:
        return self.groups

    def read_both(self, groups: Callable[[], Mapping[Colour, str]]) -> dict[Colour, Reading]:
        groups()
        return {colour: submit(lambda: self.reading).result() for colour in Colour}

    def containers(self, task_definition: str) -> Sequence[Mapping[str, Any]]:
        del task_definition
        of = {"repository": f"{REGISTRY}/lane/app", "container": "app", "log_group": "x", "region": "us-east-1"}
        return [container_definition(OURS, Colour.BLUE, **of)]

    @property
    def ecr(self) -> Any:
        manifest = json.dumps({"manifests": [{"digest": PLATFORM}]})

        def batch_get_image(repositoryName: str, **_: Any) -> Any:
            self.asked.append(repositoryName)
            return {"images": [{"imageManifest": manifest}]}

        return SimpleNamespace(
            batch_get_image=batch_get_image,
            exceptions=SimpleNamespace(RepositoryNotFoundException=ValueError),
        )


@pytest.mark.parametrize("repository", ["", "lane/app"], ids=["the command", "the gates"])
def test_tasks_on_a_platforms_manifest_run_the_image_that_their_task_definition_names(repository: str) -> None:
    """The command knows no repository. Without one a colour of an image of several platforms could not get healthy."""
    cloud = OneEnvironment(repository, running(PLATFORM))
    sides = observed(cloud)["colours"]
    assert {side["digest"] for side in sides.values()} == {INDEX}
    assert set(cloud.asked) == {"lane/app"}


def test_the_health_checks_come_with_the_target_groups() -> None:
    cloud = OneEnvironment("", running(INDEX))
    cloud.groups = {Colour.BLUE: described(interval=7), Colour.GREEN: {"TargetGroupArn": "arn:green"}}
    assert cloud.target_groups() == {Colour.BLUE: "arn:blue", Colour.GREEN: "arn:green"}
    seen = Observed.from_dict(observed(cloud)).checks
    assert seen == {Colour.BLUE: GroupCheck(path="/health", interval=7, timeout=2, healthy=3, unhealthy=4)}


def test_of_a_certificate_it_is_said_what_it_is_for_and_whether_it_is_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"arn:ours": Certificate(status="ISSUED", names=("shop.example.com", "www.example.com"))}
    monkeypatch.setattr(observe, "certificate_in", lambda _, arn: there.get(arn, Certificate()))
    cloud = OneEnvironment("", running(INDEX))
    cloud.names = replace(cloud.names, domain="shop.example.com")
    found = {arn: Observed.from_dict(observed(cloud, certificate=arn)) for arn in ("arn:ours", "arn:gone", "")}
    assert found["arn:ours"].certificate_names == ("shop.example.com", "www.example.com")
    assert found["arn:gone"].certificate_problem == "it does not exist in this account and region"
    assert [each.certificate_problem for each in (found["arn:ours"], found[""])] == ["", ""]
    assert found[""].certificate_names == ()


def described(interval: int) -> dict[str, Any]:
    """A target group, as AWS describes it."""
    return {
        "TargetGroupArn": "arn:blue",
        "HealthCheckPath": "/health",
        "HealthCheckIntervalSeconds": interval,
        "HealthCheckTimeoutSeconds": 2,
        "HealthyThresholdCount": 3,
        "UnhealthyThresholdCount": 4,
    }


def test_tasks_on_the_very_digest_need_no_registry() -> None:
    cloud = OneEnvironment("", running(INDEX))
    assert observed(cloud)["colours"]["blue"]["digest"] == INDEX
    assert cloud.asked == []


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        (f"{REGISTRY}/lane/app@{INDEX}", "lane/app"),
        (f"127.0.0.1:5000/a/b/c@{INDEX}", "a/b/c"),
        (f"{REGISTRY}/app:v1@{INDEX}", "app"),
        ("app", ""),
    ],
)
def test_the_repository_is_what_stands_between_registry_and_digest(image: str, repository: str) -> None:
    assert repository_in([{"name": "other"}, {"name": "app", "image": image}], "app") == repository
    assert repository_in([{"name": "other", "image": image}], "app") == ""


# ---- Side by side -------------------------------------------------------------------------------------------

MANY = 12
"""So many observations at once; one alone has ten things under way."""


class AtOnce(OneEnvironment):
    """All observations of it are at the same point before any of them asks for a colour."""

    def __init__(self) -> None:
        super().__init__("", running(INDEX))
        self.together = threading.Barrier(MANY)

    def described_groups(self) -> dict[Colour, Any]:
        self.together.wait(PATIENCE)
        return {}


def test_observations_side_by_side_never_wait_for_each_other() -> None:
    cloud = AtOnce()
    pool = ThreadPoolExecutor(MANY)
    looks = [pool.submit(observed, cloud) for _ in range(MANY)]
    assert all(look.result(PATIENCE)["colours"]["green"]["running"] == 2 for look in looks)


def test_work_may_wait_for_work_however_deep() -> None:
    def nested(depth: int) -> int:
        return submit(lambda: nested(depth - 1)).result() + 1 if depth else 0

    assert submit(lambda: nested(50)).result(PATIENCE) == 50


def test_what_work_raises_reaches_the_thread_that_waits_for_it() -> None:
    def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        submit(fails).result(PATIENCE)


# ---- Whose account it is ------------------------------------------------------------------------------------


def test_what_is_read_with_credentials_of_another_account_is_thrown_away() -> None:
    """The account is asked for next to the rest; the answer counts before all others."""

    def foreign(access: Access) -> None:
        raise Refused(f"not {access.account}")

    def look(cloud: Cloud) -> str:
        raise CloudError(f"{cloud.names.cluster} does not exist")

    names = OneEnvironment("", running(INDEX)).names
    with pytest.raises(Refused, match="not 123456789012"):
        account_checked_meanwhile(names, look, foreign)


def test_with_the_right_account_what_was_read_is_handed_out() -> None:
    names = OneEnvironment("", running(INDEX)).names
    assert account_checked_meanwhile(names, lambda cloud: cloud.names, lambda _: None) == names


def test_what_later_looks_may_start_from_is_observed_with_the_rest() -> None:
    found = Observed.from_dict(json.loads(json.dumps(observed(OneEnvironment("lane/app", running(PLATFORM))))))
    known = found.sides[Colour.BLUE].known
    assert known is not None
    assert (known.image, known.release, known.deployment) == (INDEX, OURS.id, "ecs-svc/1")
    assert known.tasks == {"1": PLATFORM, "2": PLATFORM}
    assert known.manifests == {INDEX, PLATFORM}


@pytest.mark.parametrize(
    "change",
    [
        {"healthy": 1},
        {"running": 1},
        {"wanted": 3},
        {"release": None},
        {"digest": "several"},
        {"tasks": {"1": PLATFORM}},
    ],
    ids=str,
)
def test_nothing_is_known_of_a_colour_that_is_not_fully_healthy_or_not_of_one_image(change: dict[str, Any]) -> None:
    side = Observed.from_dict(observed(OneEnvironment("lane/app", running(PLATFORM)))).sides[Colour.BLUE]
    assert side.known is not None
    assert replace(side, **change).known is None


def test_for_a_way_back_nothing_has_to_answer_that_it_can_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """A region's registry or CloudWatch may be away just when users have to go back."""
    watched = Watched(own={"blue-errors": Colour.BLUE}, theirs=("orders",))
    monkeypatch.setattr(observe, "labels_of", lambda *_: Labels())

    def away(waited: list[float]) -> OneEnvironment:
        """Its own answers never come; looks write down for how long they wait."""

        def look(*_: Any, **__: Any) -> Any:
            waited.append(patience.current().seconds)
            raise CloudError("AWS did not do it")

        cloud = OneEnvironment("lane/app", running(PLATFORM))
        for name in ("certificate_in", "alarms", "scaling"):
            monkeypatch.setattr(observe, name, look)
        for name in ("image", "manifests"):
            monkeypatch.setattr(cloud, name, look)
        return cloud

    forward, back = list[float](), list[float]()
    with pytest.raises(CloudError):
        observed(away(forward), INDEX, watched, "arn:certificate")
    assert max(forward) > patience.SPARED_WITHIN
    found = observed(away(back), INDEX, watched, "arn:certificate", back=True)
    assert max(back) <= patience.SPARED_WITHIN
    seen = Observed.from_dict(found)
    assert (seen.alarms, seen.missing_alarms, seen.certificate_problem) == ((), (), "")
    assert found["image"]["digest"] == INDEX, "what runs was in the registry; a gate asks again where tasks start"
    assert seen.sides[Colour.BLUE].digest == INDEX, "all tasks run one manifest, and the definition names the image"
    assert sorted({each.partition(" (")[0] for each in found["unseen"]}) == [
        "the alarms",
        "the certificate",
        "the image in the registry",
        "the platforms of the image",
        "what scales the services",
    ]
