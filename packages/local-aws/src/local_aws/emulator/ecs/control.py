"""The running ECS: a thread that keeps every service as it should be, and one that listens to Docker."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import docker

from local_aws.emulator.ecs import scheduler
from local_aws.emulator.ecs.arns import new_task_id, scope_of
from local_aws.emulator.ecs.containers import Containers
from local_aws.emulator.ecs.model import (
    Container,
    Deployment,
    Json,
    LoadBalancer,
    Service,
    StopCode,
    Task,
    TaskDefinition,
)
from local_aws.emulator.ecs.registration import HEALTH_LOOK
from local_aws.emulator.ecs.scheduler import View
from local_aws.emulator.ecs.store import Pulse, Store
from local_aws.emulator.ecs.targets import Address, Announces, Health, TargetGroups, TargetHealth
from local_aws.emulator.ecs.tasks import Lives
from local_aws.emulator.wire import ServiceError

logger = logging.getLogger("ecs")
DOCKER_RETRY = 0.5  # seconds
TIDY = 60.0  # seconds between looks for stopped tasks to forget


class Control:
    """`start` returns at once; services move when the emulator's own port answers (the registry is there)."""

    def __init__(
        self,
        store: Store,
        lives: Lives,
        containers: Containers,
        targets: TargetGroups,
        target_pulse: Pulse,
        port: int,
        time_scale: float,
    ) -> None:
        self._store = store
        self._lives = lives
        self._containers = containers
        self._targets = targets
        self._target_pulse = target_pulse
        self._port = port
        self._scale = time_scale
        self._closing = threading.Event()
        self._events: Any = None
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        if isinstance(self._targets, Announces):
            self._targets.subscribe(self._targets_changed)
        for work in (self._schedule, self._listen):
            thread = threading.Thread(target=work, name=f"ecs{work.__name__}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Stop moving; containers stay."""
        self._closing.set()
        self._store.pulse.beat()
        if self._events is not None:
            with contextlib.suppress(Exception):
                self._events.close()
        for thread in self._threads:
            thread.join(2.0)

    def _targets_changed(self, *_: object) -> None:
        self._target_pulse.beat()
        self._store.pulse.beat()

    # ------------------------------------------------------------ Docker's events

    def _listen(self) -> None:
        since = time.time()
        while not self._closing.is_set():
            try:
                for event in self._containers.events(since, self._opened):
                    self._lives.happened(event)
                    since = time.time()
            except Exception as error:
                if not self._closing.is_set():
                    logger.warning("Docker's events ended, listening again: %s", error)
            self._closing.wait(DOCKER_RETRY)

    def _opened(self, stream: Any) -> None:
        again, self._events = self._events is not None, stream
        if again:
            self._lives.recover()

    # ------------------------------------------------------------ services

    def _schedule(self) -> None:
        if not self._await_port():
            return
        with contextlib.suppress(docker.errors.DockerException):
            self._containers.ensure_network()
        self._lives.resume()
        while True:
            seen = self._store.pulse.count()
            if self._closing.is_set():
                return
            try:
                wait = self._pass()
            except Exception:
                logger.exception("a pass of the scheduler failed; the next one follows")
                wait = 1.0
            self._store.pulse.wait(seen, wait)

    def _await_port(self) -> bool:
        """The registry is in this process and may not listen yet; False when we close before it does."""
        while not self._closing.is_set():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1.0):
                return True
            self._closing.wait(0.05)
        return False

    def _pass(self) -> float:
        """Apply every service's steps until only waiting is left; seconds until time alone matters."""
        with self._store.lock:
            self._store.forget_old()
            services = [s.arn for s in self._store.services.values() if s.status != "INACTIVE"]
        waits = [TIDY]
        for arn in services:
            while (wait := self._advance(arn)) == 0:
                pass
            waits.append(wait)
        return min(waits)

    def _advance(self, arn: str) -> float:
        """One round for one service: 0 when steps were applied, else the seconds to wait."""
        health = self._health(arn)
        with self._store.lock:
            view = self._view(arn, health)
            steps = scheduler.plan(view) if view else []
            if not steps or isinstance(steps[0], scheduler.Wait):
                polled = bool(health) and not isinstance(self._targets, Announces)
                limit = HEALTH_LOOK if polled else TIDY
                return min([limit, *(s.seconds for s in steps if isinstance(s, scheduler.Wait))])
            with self._store.changing():
                started, stopped = self._apply(arn, steps)
        for task in started:
            self._lives.launch(task)
        for stop in stopped:
            self._lives.stop(stop.task, stop.reason, StopCode.SCHEDULER)
        return 0

    def _health(self, arn: str) -> Health:
        with self._store.lock:
            service = self._store.services.get(arn)
            groups = service.target_groups if service else frozenset()
        found: dict[str, Mapping[Address, TargetHealth]] = {}
        for group in groups:
            with contextlib.suppress(ServiceError):  # deleted: its targets belong to no service
                found[group] = self._targets.health(group)
        return found

    def _view(self, arn: str, health: Health) -> View | None:
        service = self._store.services.get(arn)
        if service is None or service.status == "INACTIVE":
            return None
        tasks = self._store.tasks_of(service)
        return View(service, tasks, health, self._store.clock(), self._scale)

    def _apply(self, arn: str, steps: list[scheduler.Step]) -> tuple[list[str], list[scheduler.Stop]]:
        """What the steps do to the store; tasks to launch and to stop are left to the caller, without the lock."""
        started: list[str] = []
        stopped: list[scheduler.Stop] = []
        for step in steps:
            match step:
                case scheduler.Start(_, count):
                    started += self._make_tasks(arn, count)
                case scheduler.Stop():
                    self._announce_stop(arn, step)
                    stopped.append(step)
                case scheduler.MarkSteady(task):
                    self._mark_steady(arn, task)
                case _:
                    self._store.services[arn] = self._stepped(arn, step)
        if plain := [s for s in stopped if s.event is None]:
            names = " ".join(f"(task {s.task.rsplit('/', 1)[-1]})" for s in plain)
            self._store.say(arn, f"has stopped {len(plain)} running tasks: {names}.")
        return started, stopped

    def _make_tasks(self, arn: str, count: int) -> list[str]:
        service = self._store.services[arn]
        primary = service.primary
        tasks = [self._service_task(service, primary) for _ in range(count)]
        for task in tasks:
            self._store.tasks[task.arn] = task
        self._store.services[arn] = replace(service, steady=False)
        names = " ".join(f"(task {t.id})" for t in tasks)
        self._store.say(arn, f"has started {count} tasks: {names}.")
        return [t.arn for t in tasks]

    def _service_task(self, service: Service, deployment: Deployment) -> Task:
        return new_task(
            self._store.definitions[deployment.task_definition],
            cluster=service.cluster,
            group=f"service:{service.name}",
            started_by=deployment.id,
            now=self._store.clock(),
            network=deployment.network,
            load_balancers=deployment.load_balancers,
            tags=service.tags if service.extra.get("propagateTags") == "SERVICE" else {},
        )

    def _announce_stop(self, arn: str, stop: scheduler.Stop) -> None:
        service = self._store.services[arn]
        self._store.services[arn] = replace(service, steady=False)
        if stop.event is not None:
            self._store.say(arn, stop.event)
        if stop.failed:
            started_by = self._store.tasks[stop.task].started_by
            service = self._store.services[arn]
            self._store.services[arn] = scheduler.after_failure(service, started_by, self._store.clock())

    def _mark_steady(self, arn: str, task: str) -> None:
        changed = self._store.edit_task(task, steady_at=self._store.clock())
        service = self._store.services[arn]
        self._store.services[arn] = scheduler.after_steady_task(service, changed.started_by)

    def _stepped(self, arn: str, step: scheduler.Step) -> Service:
        service, now = self._store.services[arn], self._store.clock()
        match step:
            case scheduler.Complete(deployment):
                self._store.say(arn, f"(deployment {deployment}) deployment completed.")
                return scheduler.after_completion(self._store.services[arn], now)
            case scheduler.Fail(deployment):
                self._store.say(arn, f"(deployment {deployment}) deployment failed: tasks failed to start.")
                return scheduler.after_circuit_break(self._store.services[arn], now)
            case scheduler.Retire(deployment):
                left = tuple(d for d in service.deployments if d.id != deployment)
                return replace(service, deployments=left)
            case scheduler.AnnounceSteady():
                self._store.say(arn, "has reached a steady state.")
                return replace(self._store.services[arn], steady=True)
            case scheduler.AnnounceStuck():
                self._store.say(arn, scheduler.STUCK)
                return self._store.services[arn]
            case scheduler.Deactivate():
                ended = replace(service.primary, updated_at=now)
                return replace(service, status="INACTIVE", deployments=(ended,))
            case _:
                raise AssertionError(f"not a step of a service: {step}")


def new_task(
    definition: TaskDefinition,
    *,
    cluster: str,
    group: str,
    started_by: str,
    now: float,
    network: Json,
    load_balancers: tuple[LoadBalancer, ...] = (),
    overrides: Json | None = None,
    tags: Json | None = None,
    client_token: str = "",
) -> Task:
    """A task as it is before anything has happened to it."""
    scope, where, task_id = scope_of(cluster), cluster.rsplit("/", 1)[-1], new_task_id()
    containers = tuple(
        Container(
            name=c["name"],
            image=c["image"],
            essential=c.get("essential", True),
            arn=scope.arn("container", where, task_id, new_task_id()),
        )
        for c in definition.containers
    )
    return Task(
        arn=scope.arn("task", where, task_id),
        cluster=cluster,
        task_definition=definition.arn,
        group=group,
        started_by=started_by,
        containers=containers,
        created_at=now,
        network=network,
        load_balancers=load_balancers,
        overrides=overrides or {},
        tags=tags or {},
        client_token=client_token,
    )
