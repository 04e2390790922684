"""CloudWatch, thread-safe: API actions, what load balancers report, and alarms that are evaluated.

A thread wakes at every whole second: it adds what load balancers carried to the period that this second belongs to,
and once in a period of the clock it evaluates all alarms. (AWS evaluates an alarm of a minute or more every minute.)
Actions of alarms are done by a thread of their own, in order, so that no topic keeps anybody waiting.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from local_aws.emulator.cloudwatch import balancers, changes, notification, queries, reasons
from local_aws.emulator.cloudwatch.actions import ACTIONS
from local_aws.emulator.cloudwatch.actions.call import Call, Shape, Transition
from local_aws.emulator.cloudwatch.datapoints import Datapoints
from local_aws.emulator.cloudwatch.errors import invalid
from local_aws.emulator.cloudwatch.evaluation import Point, judge, looked_at
from local_aws.emulator.cloudwatch.model import Alarm, Clock, Scope, State
from local_aws.emulator.cloudwatch.request import Members
from local_aws.emulator.cloudwatch.store import Store
from local_aws.emulator.elbv2.traffic import Traffic
from local_aws.emulator.wire import ServiceError

log = logging.getLogger("cloudwatch")

TIDY_EVERY = 60.0  # seconds between removing old datapoints and storing the others
TIDY_SHARE = 0.01  # of the time, at most: a day of datapoints takes longer to store, and is stored more rarely


@dataclass(frozen=True)
class Outside:
    """What the service touches besides its store. `publish` raises ServiceError."""

    traffic: Callable[[], Traffic]
    publish: Callable[[str, str, str, Scope], None]  # topic, subject, message, whose
    now: Callable[[], float] = time.time


class Service:
    def __init__(self, store: Store, outside: Outside, clock: Clock) -> None:
        self._store = store
        self._outside = outside
        self._clock = clock
        self._lock = threading.RLock()
        self._state = State()
        self._datapoints: dict[Scope, Datapoints] = {}
        self._evaluated = self._tidied = 0.0
        self._tidy_every = TIDY_EVERY
        self._ended = threading.Event()
        self._due: queue.SimpleQueue[Transition | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    # ------------------------------------------------------------ start and end

    def load(self) -> None:
        """Go on from what is stored. Raises wire.Unreadable."""
        with self._lock:
            self._state = self._store.load()
            self._datapoints = self._store.load_datapoints()
            self._tidied = self._outside.now()

    def start(self) -> None:
        self.load()
        for name, work in (("cloudwatch-seconds", self._every_second), ("cloudwatch-actions", self._do_actions)):
            thread = threading.Thread(target=work, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self._ended.set()
        self._due.put(None)
        for thread in self._threads:
            thread.join(timeout=2.0)  # a topic that does not answer is not waited for
        with self._lock:
            self._store.save_datapoints(self._datapoints)

    # ------------------------------------------------------------ the API

    def perform(self, action: str, members: Members, scope: Scope) -> Shape:
        """One API action; its answer. Raises ServiceError."""
        if action == "LocalMetricsClock":
            return self._set_clock(members)
        function = ACTIONS.get(action)
        if function is None:
            raise ServiceError(
                "UnknownOperationException",
                f"The local CloudWatch does not carry the operation {action} (AWS may).",
            )
        with self._lock:
            done = function(self._state, members, self._call(scope))
            self._keep(done.state)
        for transition in done.transitions:
            self._due.put(transition)
        return done.answer

    def _call(self, scope: Scope) -> Call:
        return Call(scope=scope, now=self._outside.now(), clock=self._clock, datapoints=self._of(scope))

    def _of(self, scope: Scope) -> Datapoints:
        return self._datapoints.setdefault(scope, Datapoints())

    def _keep(self, after: State) -> None:
        if after is not self._state:
            self._store.save(after)
            self._state = after

    def _set_clock(self, members: Members) -> Shape:
        """Without Period only the clock is reported. Both are seconds."""
        members.only("Period", "Delay")
        with self._lock:
            period = members.integer("Period")
            if period is not None:
                try:
                    self._clock = Clock.of(period, members.number("Delay"))
                except ValueError as error:
                    raise invalid(str(error)) from error
            return {"Period": self._clock.period, "Delay": self._clock.delay}

    # ------------------------------------------------------------ every second

    def _every_second(self) -> None:
        while not self._ended.wait(1 - self._outside.now() % 1 + 0.002):
            try:
                self.tick()
            except Exception:
                log.exception("a second of metrics is lost")

    def tick(self) -> None:
        """What is due now."""
        now = self._outside.now()
        self._observe(self._outside.traffic(), math.floor(now) - 0.5)  # in the middle of the second that is over
        if now // self._clock.period > self._evaluated // self._clock.period:
            self._evaluated = now
            self.evaluate()
        if now - self._tidied >= self._tidy_every:
            self._tidied = now
            self._tidy(now)

    def _observe(self, traffic: Traffic, at: float) -> None:
        with self._lock:
            period, delay = self._clock.period, self._clock.delay
            visible_from = at // period * period + period + delay
            for one in balancers.observations(traffic):
                self._of(one.scope).add(
                    one.metric, one.unit, at, one.summary, resolution=period, visible_from=visible_from
                )

    def _tidy(self, now: float) -> None:
        begin = time.monotonic()
        with self._lock:
            for datapoints in self._datapoints.values():
                datapoints.forget_old(now)
            self._store.save_datapoints(self._datapoints)
        self._tidy_every = max(TIDY_EVERY, (time.monotonic() - begin) / TIDY_SHARE)

    # ------------------------------------------------------------ alarms

    def evaluate(self) -> None:
        """All alarms, by what can be read now."""
        with self._lock:
            for alarm in list(self._state.alarms.values()):
                try:
                    transition = self._evaluated_one(alarm)
                except ServiceError as error:
                    log.warning("the alarm %s cannot be evaluated: %s", alarm.name, error)
                    continue
                if transition is not None:
                    self._due.put(transition)

    def _evaluated_one(self, alarm: Alarm) -> Transition | None:
        now = self._outside.now()
        verdict = judge(alarm, self._points(alarm, now))
        if verdict is None or verdict.state == alarm.state:
            return None
        reason, data = reasons.reason(alarm, verdict), reasons.reason_data(alarm, verdict, now)
        after = changes.moved(alarm, verdict.state, reason, data, now)
        self._keep(changes.noted_move(changes.kept(self._state, after), alarm, after))
        return Transition(alarm, after)

    def _points(self, alarm: Alarm, now: float) -> list[Point]:
        periods = looked_at(alarm, now, self._clock.delay)
        datapoints = self._of(balancers.scope_of(alarm.arn))
        found = queries.run(alarm.queries, datapoints, start=periods.start, end=periods.stop, now=now)
        watched = found[alarm.watched.id]
        return [Point(at, watched.values.get(at), watched.samples.get(at)) for at in periods]

    def _do_actions(self) -> None:
        while (transition := self._due.get()) is not None:
            try:
                self.act(transition)
            except Exception:
                log.exception("actions of the alarm %s failed", transition.after.name)

    def act(self, transition: Transition) -> None:
        """Tell the topics of the new state."""
        before, alarm = transition.before, transition.after
        scope = balancers.scope_of(alarm.arn)
        for topic in alarm.actions_for(alarm.state) if alarm.actions_enabled else ():
            failure = None
            try:
                subject, message = notification.subject(alarm, scope), notification.message(before, alarm, scope)
                self._outside.publish(topic, subject, message, scope)
            except ServiceError as error:
                failure = str(error)
            with self._lock:
                self._keep(changes.noted_action(self._state, alarm, topic, failure, self._outside.now()))
