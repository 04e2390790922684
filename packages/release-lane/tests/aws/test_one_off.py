"""A task that runs once, as ECS describes it, and what the calls about it are."""

from __future__ import annotations

from typing import Any

import pytest
from release_lane.aws.one_off import OneOff, OneOffTasks, Printed
from release_lane.errors import CloudError
from release_lane.record.names import Access, Names

pytestmark = pytest.mark.pure

ARN = "arn:aws:ecs:us-east-1:000000000000:task/shop/4f2b"
ENDED = {
    "taskArn": ARN,
    "lastStatus": "STOPPED",
    "startedBy": "release-lane/aaa",
    "stoppedReason": "Essential container in task exited",
    "containers": [{"name": "sidecar", "exitCode": 9}, {"name": "migration", "exitCode": 1, "reason": "oom"}],
}
PENDING = {"taskArn": ARN, "lastStatus": "PENDING", "containers": [{"name": "migration"}]}


class NotThere(Exception):
    """CloudWatch Logs has no such stream."""


class Api:
    """A client of ECS or CloudWatch Logs, with answers by the name of the call. It remembers the calls."""

    class exceptions:
        ClientError = NotThere

    def __init__(self, **answers: Any) -> None:
        self.answers, self.calls = answers, list[tuple[str, dict[str, Any]]]()

    def __getattr__(self, name: str) -> Any:
        def call(**given: Any) -> Any:
            self.calls.append((name, given))
            if isinstance(self.answers[name], Exception):
                raise self.answers[name]
            return self.answers[name]

        return call


class At:
    """An environment with these clients."""

    names = Names.of(
        "shop", access=Access(region="us-east-1", account="0" * 12), users_port=80, log_group="/shop", repository="r"
    )

    def __init__(self, **answers: Any) -> None:
        self.ecs = self.logs = Api(**answers)

    @property
    def tasks(self) -> OneOffTasks:
        return OneOffTasks(self, "shop-migration", "migration")  # type: ignore[arg-type]


def test_a_task_that_ended_is_read_with_its_own_containers_exit_code() -> None:
    assert At(describe_tasks={"tasks": [ENDED]}).tasks.look(ARN) == OneOff(
        arn=ARN,
        ended=True,
        exit_code=1,
        started_by="release-lane/aaa",
        stopped="Essential container in task exited; oom",
    )


def test_a_stop_of_one_that_ecs_does_not_know_is_reported() -> None:
    with pytest.raises(CloudError, match="did not stop the task 4f2b"):
        At(stop_task=NotThere("The referenced task was not found.")).tasks.stop(ARN, "too late")


def test_one_that_ecs_does_not_know_is_none() -> None:
    assert At(describe_tasks={"tasks": []}).tasks.look(ARN) is None


def test_what_was_asked_to_end_still_runs_until_its_container_ended() -> None:
    ending = {**PENDING, "lastStatus": "STOPPING"}
    at = At(list_tasks={"taskArns": [ARN]}, describe_tasks={"tasks": [ending, ENDED]})
    assert at.tasks.running() == [OneOff(arn=ARN)]
    of = {"cluster": "shop", "family": "shop-migration"}
    assert [given for call, given in at.ecs.calls if call == "list_tasks"] == [
        {**of, "desiredStatus": "RUNNING"},
        {**of, "desiredStatus": "STOPPED"},
    ]
    assert At(list_tasks={"taskArns": []}).tasks.running() == []


def test_one_starts_without_a_public_address_and_once_for_a_token() -> None:
    at = At(run_task={"tasks": [PENDING], "failures": []})
    assert at.tasks.start("td:1", ["subnet-a"], ["sg-1"], by="me", token="once") == ARN
    ((_, given),) = at.ecs.calls
    assert given["networkConfiguration"]["awsvpcConfiguration"] == {
        "subnets": ["subnet-a"],
        "securityGroups": ["sg-1"],
        "assignPublicIp": "DISABLED",
    }
    assert (given["clientToken"], given["startedBy"], given["count"]) == ("once", "me", 1)


def test_one_that_ecs_does_not_start_says_why() -> None:
    at = At(run_task={"tasks": [], "failures": [{"reason": "RESOURCE:MEMORY"}]})
    with pytest.raises(CloudError, match="RESOURCE:MEMORY"):
        at.tasks.start("td:1", [], [], by="me", token="once")


def test_its_lines_are_read_from_where_the_last_look_ended() -> None:
    at = At(get_log_events={"events": [{"message": "one\n"}], "nextForwardToken": "f/2"})
    assert at.tasks.printed(ARN, "f/1") == Printed(lines=("one",), token="f/2")
    ((_, given),) = at.logs.calls
    assert (given["logStreamName"], given["nextToken"]) == ("migration/migration/4f2b", "f/1")


def test_without_a_stream_there_are_no_lines_yet() -> None:
    assert At(get_log_events=NotThere()).tasks.printed(ARN, "") == Printed()
