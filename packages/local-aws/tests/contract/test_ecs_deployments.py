"""Amazon ECS: services and their deployments."""

from __future__ import annotations

import threading

import pytest
import requests
from botocore.exceptions import ClientError
from tests.contract.aws import Aws
from tests.contract.balancing import Balancing, forward
from tests.contract.conftest import ip_of
from tests.contract.contracts import contract
from tests.contract.serving import CONTAINER, Service, Serving
from tests.contract.stage import ACTOR_PORT, Stage

pytestmark = pytest.mark.cloud

GUIDE = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide"
API = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference"
JUDGE, DOOR, COLOUR, STANDIN = (
    "release_lane/watch/rollout.py",
    "release_lane/aws/cloud.py",
    "infra/colour.py",
    "local_aws/standins/aws/ecs.py",
)
NOWHERE = "sha256:" + "0" * 64


class Web:
    """A service of two tasks behind a listener, fully healthy."""

    def __init__(self, elb: Balancing, ecs: Serving) -> None:
        self.elb, self.ecs = elb, ecs
        self.group = elb.group("web")
        self.listener = elb.listener(forward((self.group, 1)))
        self.definition = ecs.define(env={"NAME": "old"})
        self.service = ecs.service("web", self.definition, tasks=2, group=self.group)
        self.first = self.service.until("COMPLETED")


@pytest.fixture(scope="module")
def web(shared_elb: Balancing, shared_ecs: Serving) -> Web:
    return Web(shared_elb, shared_ecs)


@contract(
    says="A task that a service started names its deployment in `startedBy` and its service in `group`.",
    source=f"{API}/API_Task.html",
    otherwise="the rollout gate could not tell new tasks from old ones, and would pass on the old release",
    used_by=(JUDGE, DOOR),
    minutes=4,
)
def test_a_task_names_the_deployment_that_started_it(web: Web) -> None:
    assert web.first["id"].startswith("ecs-svc/")
    assert [(task["startedBy"], task["group"]) for task in web.service.running()] == [
        (web.first["id"], "service:web")
    ] * 2


@contract(
    says="`imageDigest` of a running task's container is the digest of the manifest that was pulled.",
    source=f"{API}/API_Container.html",
    otherwise="an update could report success while another image runs",
    used_by=(JUDGE, DOOR, "release_lane/aws/observe.py"),
)
def test_a_task_says_which_image_it_runs(web: Web, stage: Stage) -> None:
    digests = [task["containers"][0]["imageDigest"] for task in web.service.running()]
    assert digests == [stage.image.digest] * 2


@contract(
    says="The address of a task's network interface is the id of its target, and its port is the container's.",
    source=f"{GUIDE}/service-load-balancing.html",
    otherwise="no running task would ever be found healthy, and no release could pass",
    used_by=(JUDGE, DOOR, "release_lane/gates/switch.py"),
)
def test_a_task_and_its_target_have_the_same_address(web: Web) -> None:
    shown = web.elb.api.describe_target_health(TargetGroupArn=web.group)["TargetHealthDescriptions"]
    targets = {(each["Target"]["Id"], each["Target"]["Port"]) for each in shown}
    assert targets == {(ip_of(task), ACTOR_PORT) for task in web.service.running()}


@contract(
    says="UpdateService with the task definition that runs already starts no deployment, and another number of tasks "
    "starts none either.",
    source=f"{API}/API_UpdateService.html",
    otherwise="a heal or an update with nothing to do would replace tasks",
    used_by=(DOOR, COLOUR, "release_lane/gates/rollout.py"),
    note="the page says which parameters start a deployment, and not what happens if their value is the same",
    minutes=2,
)
def test_nothing_new_is_no_deployment(web: Web) -> None:
    before = {task["taskArn"] for task in web.service.running()}
    web.service.update(taskDefinition=web.definition)
    web.service.update(desiredCount=3)
    web.service.serving.aws.eventually(lambda: len(web.service.running()) == 3, "a third task")
    web.service.update(desiredCount=2)
    web.service.serving.aws.eventually(lambda: len(web.service.tasks()) == 2, "two tasks")
    assert [each["id"] for each in web.service.now()["deployments"]] == [web.first["id"]]
    assert len(before & {task["taskArn"] for task in web.service.tasks()}) >= 1


@contract(
    says="A task of a service that is stopped is replaced by one of the same deployment.",
    source=f"{GUIDE}/ecs_services.html",
    otherwise="a colour that lost a task would stay smaller than it should be until the next update",
    used_by=("docs/guides/recovery.md", JUDGE),
    minutes=2,
)
def test_a_lost_task_is_replaced(web: Web) -> None:
    lost = web.service.running()[0]["taskArn"]
    web.ecs.api.stop_task(cluster=web.ecs.stage.cluster, task=lost)

    def replaced() -> bool:
        running = web.service.running()
        return len(running) == 2 and lost not in {task["taskArn"] for task in running}

    web.ecs.aws.eventually(replaced, "another task")
    assert {task["startedBy"] for task in web.service.running()} == {web.first["id"]}
    web.elb.aws.eventually(lambda: web.elb.states(web.group).count("healthy") == 2, "two healthy targets")


@contract(
    says="With minimumHealthyPercent 100 and maximumPercent 200 a new deployment starts all its tasks next to the old "
    "ones; an old one is stopped only when a new one is healthy. Then the old deployment is gone.",
    source=f"{GUIDE}/deployment-type-ecs.html",
    otherwise="a live service would lose tasks whenever ECS replaces them",
    used_by=(COLOUR,),
    minutes=4,
)
def test_old_tasks_stay_until_new_ones_are_healthy(web: Web, aws: Aws) -> None:
    second = web.ecs.define(env={"NAME": "new"})
    shown = web.service.update(taskDefinition=second)["deployments"]
    assert {each["status"] for each in shown} == {"PRIMARY", "ACTIVE"}
    healthy: list[int] = []

    def completed() -> bool:
        healthy.append(web.elb.states(web.group).count("healthy"))
        return str(web.service.primary()["rolloutState"]) == "COMPLETED"

    aws.eventually(completed, "the new deployment")
    assert min(healthy) >= 2
    assert [each["taskDefinition"] for each in web.service.now()["deployments"]] == [second]
    web.elb.only(web.listener, "new")


@contract(
    says="Tasks that ECS stopped to replace them say so: stopCode ServiceSchedulerInitiated.",
    source=f"{GUIDE}/stopped-task-error-codes.html",
    otherwise="the rollout gate would take an ordinary replacement for a failure, or a failure for a replacement",
    used_by=(JUDGE,),
)
def test_replaced_tasks_say_that_the_scheduler_stopped_them(web: Web, aws: Aws) -> None:
    ours = aws.eventually(
        lambda: [task for task in web.service.tasks("STOPPED") if task.get("stopCode") != "UserInitiated"],
        "stopped tasks",
    )
    assert {task["stopCode"] for task in ours} == {"ServiceSchedulerInitiated"}
    assert not [task for task in ours if "health checks" in task["stoppedReason"]]


# ---- how a deployment succeeds


@contract(
    says="A deployment begins IN_PROGRESS and stays so while its tasks run without being healthy in their target "
    "group; it is COMPLETED once they are.",
    source=f"{API}/API_Deployment.html",
    otherwise="what the program observes of a colour would call an unhealthy rollout finished",
    used_by=(DOOR, "release_lane/aws/observe.py"),
    minutes=4,
)
def test_a_deployment_completes_when_its_tasks_are_healthy(elb: Balancing, ecs: Serving) -> None:
    group, service, listener = unhealthy(elb, ecs, "late")
    assert service.primary()["rolloutState"] == "IN_PROGRESS"
    assert requests.get(f"{listener}/become/late", params={"status": 200}, timeout=10).ok
    elb.until(group, "healthy")
    service.until("COMPLETED")


def unhealthy(elb: Balancing, ecs: Serving, name: str) -> tuple[str, Service, str]:
    """A service whose one task runs and is unhealthy, within a long grace period; its group and its address."""
    group = elb.group(name)
    listener = elb.listener(forward((group, 1)))
    service = ecs.service(name, ecs.define(env={"NAME": name, "HEALTH": "503"}), group=group, grace=600)
    elb.until(group, "unhealthy")
    elb.only(listener, name)  # it fails open
    return group, service, listener.url


@contract(
    says="Within the health check grace period a task with an unhealthy target is left alone; after it, it is stopped "
    "with a stoppedReason that speaks of failed ELB health checks.",
    source=f"{GUIDE}/service_definition_parameters.html",
    otherwise="slow starters would be refused, or a release that is never healthy would be waited for to the deadline",
    used_by=(JUDGE, COLOUR, "release_lane/settings/rollout.py"),
    note="that a grace period which is made shorter counts for tasks that run already is not on the page",
    minutes=5,
)
def test_the_grace_period_decides_about_an_unhealthy_task(elb: Balancing, ecs: Serving) -> None:
    _, service, url = unhealthy(elb, ecs, "sick")
    (task,) = service.running()

    def checks_after() -> int:
        return int(requests.get(f"{url}/who", timeout=10).json()["refused"].get("sick", 0))

    sofar = checks_after()
    ecs.aws.eventually(lambda: checks_after() >= sofar + 3, "three more failed checks")
    assert ecs.task(task["taskArn"])["lastStatus"] == "RUNNING"
    service.update(healthCheckGracePeriodSeconds=0)
    ended = ecs.until(task["taskArn"], "STOPPED")
    assert "health checks" in ended["stoppedReason"]
    assert ended["stopCode"] == "ServiceSchedulerInitiated"


# ---- how a deployment fails


@contract(
    says="With the circuit breaker, a deployment whose tasks cannot start becomes FAILED after 3 of them (half of the "
    "desired number if that is more, 200 at most), gives a reason, starts no more, and leaves older tasks running.",
    source=f"{GUIDE}/deployment-circuit-breaker.html",
    otherwise="a broken image would be started again and again; or the previous release would be stopped for it",
    used_by=(COLOUR, JUDGE, "release_lane/decide/decision.py"),
    minutes=10,
)
def test_the_circuit_breaker_ends_a_deployment_that_cannot_start(broken: Broken) -> None:
    failed = broken.failed
    assert failed["rolloutStateReason"]
    assert failed["failedTasks"] >= 3
    assert (failed["runningCount"], failed["pendingCount"], failed["desiredCount"]) == (0, 0, 1)
    assert [task["startedBy"] for task in broken.service.running()] == [broken.good]


@contract(
    says="A failed deployment stays FAILED; a forced new one of the same task definition starts afresh, with an id of "
    "its own and no failures counted.",
    source=f"{API}/API_UpdateService.html",
    otherwise="the same release could not be tried again once the cause of its failure is gone",
    used_by=(COLOUR, "release_lane/decide/decision.py", "docs/aws.md"),
    minutes=3,
)
def test_a_forced_deployment_starts_afresh_after_a_failed_one(broken: Broken) -> None:
    broken.service.update(taskDefinition=broken.bad)
    assert broken.service.primary()["id"] == broken.failed["id"]
    assert broken.service.primary()["rolloutState"] == "FAILED"
    # as UpdateService answers: a moment later its own tasks may have failed
    answered = broken.service.update(taskDefinition=broken.bad, forceNewDeployment=True)["deployments"]
    again = next(each for each in answered if each["status"] == "PRIMARY")
    assert again["id"] != broken.failed["id"]
    assert (again["rolloutState"], again["failedTasks"]) == ("IN_PROGRESS", 0)
    broken.service.update(taskDefinition=broken.works, forceNewDeployment=True)
    mended = broken.service.primary()["id"]
    assert broken.service.until("COMPLETED")["id"] == mended


class Broken:
    """A service with one good task whose next deployment failed: its image cannot be pulled."""

    def __init__(self, ecs: Serving) -> None:
        self.works = ecs.define()
        self.bad = ecs.define(image=f"{ecs.stage.repository['repositoryUri']}@{NOWHERE}")
        self.service = ecs.service("broken", self.works)
        self.good = self.service.until("COMPLETED")["id"]
        self.service.update(taskDefinition=self.bad)
        self.failed = self.service.until("FAILED")


@pytest.fixture(scope="module")
def broken(shared_ecs: Serving) -> Broken:
    return Broken(shared_ecs)


# ---- how a service comes and goes


@contract(
    says="A service cannot be made with a target group that no load balancer uses: InvalidParameterException.",
    source=f"{API}/API_CreateService.html",
    otherwise="the order of the program's resources would be wrong without anybody noticing before AWS",
    used_by=(COLOUR,),
    note="the error is not on the page, nor in the guide; its text is known from reports of others",
)
def test_a_service_needs_a_target_group_with_a_load_balancer(elb: Balancing, ecs: Serving) -> None:
    with pytest.raises(ClientError, match="does not have an associated load balancer") as refused:
        ecs.service("alone", ecs.define(), group=elb.group("alone"))
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"


@contract(
    says="A service that wants no tasks is ACTIVE, with a PRIMARY deployment and without tasks.",
    source=f"{API}/API_Service.html",
    otherwise="the first update could not make the idle colour, or would wait for tasks that are not wanted",
    used_by=("release_lane/program/lane.py", JUDGE),
)
def test_a_service_without_tasks_has_a_deployment(ecs: Serving) -> None:
    service = ecs.service("empty", ecs.define(), tasks=0)
    now = service.now()
    assert (now["status"], now["desiredCount"], now["runningCount"]) == ("ACTIVE", 0, 0)
    assert service.primary()["taskDefinition"] == now["taskDefinition"]
    assert service.tasks() == []


@contract(
    says="An active service cannot be made again under its name. A deleted one is DRAINING until its tasks have "
    "stopped, then INACTIVE and its name is free.",
    source=f"{API}/API_DeleteService.html",
    otherwise="a create that was killed would be repeated over a service that exists; a destroy would never end",
    used_by=(STANDIN, "docs/guides/recovery.md", DOOR),
    note="the text of the refusal, 'Creation of service was not idempotent', is not on the page",
    minutes=2,
)
def test_a_service_is_made_once_and_its_name_is_free_when_it_has_drained(ecs: Serving) -> None:
    definition = ecs.define()
    service = ecs.service("twice", definition)
    service.until("COMPLETED")
    with pytest.raises(ClientError, match="not idempotent") as refused:
        ecs.service("twice", definition, tasks=0)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"
    service.delete()
    assert service.now()["status"] in ("DRAINING", "INACTIVE")
    ecs.aws.eventually(lambda: service.now()["status"] == "INACTIVE", "an inactive service")
    assert ecs.service("twice", definition, tasks=0).now()["status"] == "ACTIVE"


@contract(
    says="A service that does not exist is listed under `failures` (MISSING) and is no error; a cluster that does not "
    "exist is ClusterNotFoundException.",
    source=f"{API}/API_DescribeServices.html",
    otherwise="an environment that does not exist yet would end in an unexplained error instead of its first update",
    used_by=(DOOR,),
    note="MISSING is explained on api_failures_messages.html",
)
def test_a_missing_service_is_no_error_and_a_missing_cluster_is(ecs: Serving, aws: Aws) -> None:
    found = ecs.api.describe_services(cluster=ecs.stage.cluster, services=["nothing"])
    assert (found["services"], [each["reason"] for each in found["failures"]]) == ([], ["MISSING"])
    with pytest.raises(ecs.api.exceptions.ClusterNotFoundException):
        ecs.api.describe_services(cluster=aws.named("nowhere"), services=["nothing"])


# ---- how a task of a service ends


@contract(
    says="A service's task that is stopped leaves its target group first, and runs on while its target drains; only "
    "then does it get SIGTERM. A request under way is answered.",
    source=f"{GUIDE}/task-lifecycle-explanation.html",
    otherwise="users would see errors whenever a task is replaced",
    used_by=(COLOUR, JUDGE, "app/__main__.py"),
    note="the page says that a task is DEACTIVATING then for services with several target groups, and is silent about "
    "those with one",
    minutes=4,
)
def test_a_task_drains_before_it_is_asked_to_end(elb: Balancing, ecs: Serving, aws: Aws) -> None:
    group = elb.group("drain", drain=40)
    listener = elb.listener(forward((group, 1)))
    service = ecs.service("drain", ecs.define(env={"NAME": "drain"}), group=group)
    elb.until(group, "healthy")
    elb.only(listener, "drain")
    (task,) = service.running()
    answers: list[int] = []
    slow = threading.Thread(target=lambda: answers.append(slow_status(listener.url, aws.seconds(20))))
    slow.start()
    aws.eventually(lambda: requests.get(f"{listener.url}/who", timeout=10).json()["busy"], "the slow request")
    service.update(desiredCount=0)
    seen: list[str] = []

    def stopped() -> bool:
        now = ecs.task(task["taskArn"])
        if elb.states(group) == ["draining"]:
            seen.append(now["containers"][0]["lastStatus"])
        return str(now["lastStatus"]) == "STOPPED"

    aws.eventually(stopped, "the task's end")
    slow.join()
    assert answers == [200]
    assert "RUNNING" in seen, "while its target drained"
    lines = ecs.printed(task["taskArn"], "SIGTERM")
    assert lines.index("slow ends") < lines.index("SIGTERM")


def slow_status(url: str, seconds: float) -> int:
    return requests.get(f"{url}/slow", params={"seconds": seconds}, timeout=seconds + 60).status_code


@contract(
    says="Stopped tasks are listed (desiredStatus STOPPED, by their service) and described for an hour at least, and "
    "one that is still draining is also listed there.",
    source=f"{API}/API_DescribeTasks.html",
    otherwise="the rollout gate would not see why a task failed, and would wait for its deadline instead",
    used_by=(DOOR, JUDGE),
    minutes=2,
)
def test_stopped_tasks_can_still_be_seen(ecs: Serving) -> None:
    service = ecs.service("seen", ecs.define())
    service.until("COMPLETED")
    (task,) = service.running()
    service.update(desiredCount=0)
    ecs.until(task["taskArn"], "STOPPED")
    (shown,) = service.tasks("STOPPED")
    assert shown["taskArn"] == task["taskArn"]
    assert shown["containers"][0]["name"] == CONTAINER
    assert shown["stoppedReason"]


@contract(
    says="ListTasks without a service lists the running tasks of the whole cluster; the group of a service's task is "
    "`service:` and the service's name.",
    source=f"{API}/API_Task.html",
    otherwise="a colour would look empty, or would be taken to run the tasks of another one",
    used_by=(DOOR,),
    note="ListTasks: API_ListTasks.html, serviceName is optional",
    minutes=2,
)
def test_a_task_in_the_clusters_list_names_its_service(ecs: Serving, stage: Stage) -> None:
    definition = ecs.define()
    service, alone = ecs.service("listed", definition), ecs.run(definition)
    service.until("COMPLETED")
    ecs.until(alone, "RUNNING")
    pages = ecs.api.get_paginator("list_tasks").paginate(cluster=stage.cluster, desiredStatus="RUNNING")
    arns = [arn for page in pages for arn in page["taskArns"]]
    (ours,) = service.running()
    assert {ours["taskArn"], alone} <= set(arns)
    assert ours["group"] == "service:listed"
    assert not ecs.task(alone)["group"].startswith("service:")


@contract(
    says="DescribeServices counts running and pending tasks, of the service and of each of its deployments.",
    source=f"{API}/API_Deployment.html",
    otherwise="tasks that were replaced would pass for those that were seen before",
    used_by=("release_lane/aws/values.py",),
    minutes=2,
)
def test_a_service_and_each_deployment_count_their_tasks(ecs: Serving) -> None:
    service = ecs.service("counted", ecs.define(), tasks=2)
    service.until("COMPLETED")
    counts = {"desiredCount": 2, "runningCount": 2, "pendingCount": 0}
    for counted in (service.now(), service.primary()):
        assert {key: counted[key] for key in counts} == counts
