"""Short lives of an environment in which, together, the gates make every call they have: run with and without faults.

A story changes its environment by one `pulumi up` (or destroy) through the fault proxy. It can be repeated again and
again: traffic-only switches go back and forth, and what a failed one left is what the next one begins with.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from local_aws import metrics
from release_lane.aws.patience import SECONDS_VARIABLE
from release_lane.probe import Probe
from release_lane.record.journal import ABORT

from tests.faults.proxy import FaultProxy
from tests.stories.cloud import client, idle_of, rule
from tests.stories.known import Known
from tools.lane import PROJECT, Lane, Result, Stack


@dataclass(frozen=True)
class Images:
    """Digests of the sample service: two good ones, and one that exits at once."""

    one: str
    two: str
    crasher: str


@dataclass(frozen=True)
class Scene:
    """An environment, AWS as it is, and the same environment behind the fault proxy."""

    stack: Stack
    images: Images
    proxy: FaultProxy
    seconds: float = 12.0
    """Patience of the gates: short, so that a fault that stays is soon over."""

    def behind(self, key: str = "test") -> Stack:
        """The same stack, whose engine and providers see AWS through the proxy, with this access key."""
        variables = {
            **self.stack.lane.variables,
            "AWS_ENDPOINT_URL": self.proxy.url,
            "AWS_ACCESS_KEY_ID": key,
            SECONDS_VARIABLE: str(self.seconds),
        }
        return replace(self.stack, lane=Lane(self.stack.lane.folder, variables))

    def begun(self) -> Scene:
        """Two is live and one on the idle colour, as the stack file sets them, by state and AWS alike: stories that
        do without the engine know nothing else. Whatever an earlier file of tests left."""
        known = Known(self.images.one, self.images.two)
        return replace(self, stack=known(self.stack, live=self.images.two, idle=self.images.one))

    @property
    def live(self) -> str:
        """The digest that is recorded as live, "" if there is none."""
        return str(self.stack.outputs.get("imageDigest") or "")

    @property
    def other(self) -> str:
        """The good digest that is not live."""
        return self.images.two if self.live == self.images.one else self.images.one


MIGRATION = {"command": ["/venv/bin/python", "-c", "print('nothing to do')"], "deadlineSeconds": 60}
"""One that ends at once."""


def traffic_only(scene: Scene, through: Stack) -> Result:
    """Back to the release before, which the idle colour still holds."""
    return through.up(imageDigest=scene.other, rollbackFrom=scene.live)


def keep(scene: Scene, through: Stack) -> Result:
    """Nothing is asked for."""
    del scene
    return through.up()


def refusal(scene: Scene, through: Stack) -> Result:
    """An image that exits at once."""
    return through.up(imageDigest=scene.images.crasher)


def by_hand(scene: Scene, through: Stack) -> Result:
    """Somebody changed the idle service; the update puts it right."""
    name = f"{PROJECT}-{scene.stack.name}"
    client(scene.stack.lane, "ecs").update_service(
        cluster=name, service=f"{name}-{idle_of(scene.stack)}", desiredCount=0
    )
    return through.up()


def first(scene: Scene, through: Stack) -> Result:
    """The first release of an environment that has none."""
    return through.up(imageDigest=scene.images.one)


def stepped(scene: Scene, through: Stack) -> Result:
    """New configuration in two steps, watched, with an alarm; and an abort request that is older than the switch."""
    name = f"{PROJECT}-{scene.stack.name}"
    client(scene.stack.lane, "elbv2").add_tags(
        ResourceArns=[rule(scene.stack)["RuleArn"]], Tags=[{"Key": ABORT, "Value": f"{name}/somebody"}]
    )
    given = {
        "shift": {"steps": [50, 100], "bakeSeconds": 2},
        "alarms": {"unhealthyTargets": 99, "periodSeconds": 10, "lateSeconds": 10},
        "env": {"LOG_LEVEL": str(time.time_ns())},
    }
    config = {key: json.dumps(value) for key, value in given.items()}
    with (
        metrics.quick(scene.stack.lane.variables["AWS_ENDPOINT_URL"], 1),
        Probe(scene.stack.url + "/api/v1/status", 40),
    ):
        return through.up(imageDigest=scene.live, **config)


def overdue(scene: Scene, through: Stack) -> Result:
    """New configuration, and a migration that does not end in its time: it is stopped, and no task is started."""
    given = {
        "migration": {"command": ["/venv/bin/python", "-c", "import time; time.sleep(600)"], "deadlineSeconds": 10},
        "env": {"LOG_LEVEL": str(time.time_ns())},
    }
    return through.up(imageDigest=scene.live, **{key: json.dumps(value) for key, value in given.items()})


def destroy(scene: Scene, through: Stack) -> Result:
    """The end of an environment."""
    del scene
    return through.destroy()


Story = Callable[[Scene, Stack], Result]

SMALL = ("traffic_only", "keep")
"""Stories in which the program changes nothing in AWS itself: they need no whole engine."""

STORIES: dict[str, Story] = {
    story.__name__: story for story in (traffic_only, keep, refusal, by_hand, first, stepped, overdue, destroy)
}
"""In the order in which a call is looked for: the first story that makes it is the one it is broken in."""
