"""What the rehearsals look at in the emulated AWS, and what they break there by hand."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any

from release_lane.disk.processes import end, stack_of, without_engine
from release_lane.record.placement import Colour

from tests.patience import PATIENCE
from tools.lane import PROJECT, Lane, Result, Running, Stack


def client(lane: Lane, service: str) -> Any:
    """A client of the local cloud."""
    return lane.aws(service)


def eventually(what: str, look: Callable[[], Any], seconds: float = PATIENCE, every: float = 0.1) -> Any:
    """Look until it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(every)
    raise AssertionError(f"never came true in {seconds:.0f} s: {what}")


def in_time(running: Running, what: str, look: Callable[[], Any], every: float = 0.1) -> Any:
    """Look until it is true of an update that still runs; one that has ended says why, at once."""

    def found() -> Any:
        if running.process.poll() is not None:
            raise AssertionError(f"the update ended before this came true: {what}\n{running.text}")
        return look()

    return eventually(what, found, every=every)


def no_alarm_fires(stack: Stack) -> None:
    """An alarm looks back ten seconds and more: for so long it outlives the errors of the story before, and targets
    that are unhealthy because they have just been started. No traffic moves meanwhile. One that has not looked yet at
    what will make it fire counts as firing."""
    watch, prefix = client(stack.lane, "cloudwatch"), f"{PROJECT}-{stack.name}-"

    def none_fires() -> bool:
        alarms = watch.describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]
        return not any(each["StateValue"] == "ALARM" or _will_fire(watch, each) for each in alarms)

    eventually("none of its alarms is firing", none_fires)


def _will_fire(watch: Any, alarm: dict[str, Any]) -> bool:
    """Of one of a single metric: is there a datapoint that makes it fire, among those that it may look at?"""
    if "Statistic" not in alarm:
        return False
    metric = {key: alarm[key] for key in ("Namespace", "MetricName", "Dimensions", "Period")}
    now, statistic = time.time(), alarm["Statistic"]
    begin = now - (alarm["EvaluationPeriods"] + 2) * alarm["Period"]
    found = watch.get_metric_statistics(**metric, StartTime=begin, EndTime=now, Statistics=[statistic])["Datapoints"]
    return any(each[statistic] >= alarm["Threshold"] for each in found)


def end_what_outlived(stack: Stack) -> None:
    """The first thing to do by hand after a kill: no update works next to a provider that goes on without its engine.

    The real one goes on for many minutes. What else has lost its engine ends by itself.
    """
    for plugin in without_engine(stack_of(stack.lane.variables, PROJECT, stack.name)):
        if plugin.name == "pulumi-resource-aws":
            end(plugin)


def cleared(stack: Stack) -> Result:
    """All that the guide says to do by hand after a kill, before the next update; the result of the refresh."""
    end_what_outlived(stack)
    freed = stack.command("cancel", "--yes")
    assert freed.ok or "not currently locked" in freed.text or "no update in progress" in freed.text, freed.text
    with stack.started("refresh", "--clear-pending-creates") as process:
        return process.wait(PATIENCE)


def tasks(stack: Stack, colour: Colour | str) -> set[str]:
    """ARNs of the tasks that a colour runs."""
    found = client(stack.lane, "ecs").list_tasks(
        cluster=f"{PROJECT}-{stack.name}", serviceName=f"{PROJECT}-{stack.name}-{colour}"
    )
    return set(found["taskArns"])


def running_digests(stack: Stack, colour: Colour | str) -> set[str]:
    """Digests of the images that a colour's running tasks run, by ECS's own word."""
    arns = list(tasks(stack, colour))
    if not arns:
        return set()
    described = client(stack.lane, "ecs").describe_tasks(cluster=f"{PROJECT}-{stack.name}", tasks=arns)["tasks"]
    return {each["containers"][0].get("imageDigest", "") for each in described if each["lastStatus"] == "RUNNING"}


def deployment_state(stack: Stack, colour: str) -> str:
    """What ECS says of a colour's newest deployment."""
    name = f"{PROJECT}-{stack.name}"
    found = client(stack.lane, "ecs").describe_services(cluster=name, services=[f"{name}-{colour}"])["services"][0]
    return next(str(each["rolloutState"]) for each in found["deployments"] if each["status"] == "PRIMARY")


def described(stack: Stack) -> str:
    """What ECS reports of both colours, for a test that fails."""
    name = f"{PROJECT}-{stack.name}"
    lines = []
    for colour in Colour:
        found = client(stack.lane, "ecs").describe_services(cluster=name, services=[f"{name}-{colour}"])["services"]
        for service in found:
            lines.append(f"{colour}: {service['runningCount']} of {service['desiredCount']} tasks run")
            lines += [f"  {each['id']} {each['rolloutState']}" for each in service["deployments"]]
            lines += [f"  {event['createdAt']:%H:%M:%S} {event['message']}" for event in service["events"][:12]]
    return "\n".join(lines)


def idle_of(stack: Stack) -> str:
    """The idle colour, by the record."""
    return str(Colour(stack.outputs["liveColour"]).other)


def rule(stack: Stack) -> Any:
    """The production rule, None if there is none."""
    elb = client(stack.lane, "elbv2")
    balancer = elb.describe_load_balancers(Names=[f"{PROJECT}-{stack.name}"])["LoadBalancers"][0]
    listeners = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    users = next(each for each in listeners if each["Port"] == (443 if stack.domain else 80))
    rules = elb.describe_rules(ListenerArn=users["ListenerArn"])["Rules"]
    return next((each for each in rules if not each["IsDefault"]), None)


def weights(stack: Stack) -> dict[str, int]:
    """Weights by colour, read from the load balancer."""
    found = rule(stack)
    groups = found["Actions"][0]["ForwardConfig"]["TargetGroups"] if found else []
    return {"blue" if "-blue/" in each["TargetGroupArn"] else "green": each["Weight"] for each in groups}


def move_by_hand(stack: Stack, **wanted: int) -> None:
    """Move weights as a person in the console would."""
    found = rule(stack)
    groups = [
        {
            "TargetGroupArn": each["TargetGroupArn"],
            "Weight": wanted["blue" if "-blue/" in each["TargetGroupArn"] else "green"],
        }
        for each in found["Actions"][0]["ForwardConfig"]["TargetGroups"]
    ]
    client(stack.lane, "elbv2").modify_rule(
        RuleArn=found["RuleArn"], Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]
    )


def gateway(network: str) -> str:
    """The address under which containers reach this machine."""
    return subprocess.run(
        ["docker", "network", "inspect", network, "--format", "{{(index .IPAM.Config 0).Gateway}}"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip


def without_ciphertext(value: Any) -> Any:
    """Part of a state as it is compared: of a secret, the engine writes another ciphertext each time."""
    match value:
        case dict():
            return {key: without_ciphertext(each) for key, each in value.items() if key != "ciphertext"}
        case list():
            return [without_ciphertext(each) for each in value]
    return value
