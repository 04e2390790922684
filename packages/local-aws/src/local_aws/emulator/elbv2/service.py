"""One change at a time: an action says what the state would be, the load balancer carries it, then it is kept.

If the load balancer refuses (a port is taken), the call fails and nothing has changed. An answer is given only once
the load balancer carries what it says.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from local_aws.emulator.elbv2.actions import ACTIONS
from local_aws.emulator.elbv2.actions.call import Call, Fitness, Network
from local_aws.emulator.elbv2.actions.target_groups import delay, deregistered, drained, registered
from local_aws.emulator.elbv2.errors import missing
from local_aws.emulator.elbv2.model import Address, State, Target, TargetGroup, TargetHealth
from local_aws.emulator.elbv2.query import Params
from local_aws.emulator.elbv2.shapes import Shape
from local_aws.emulator.elbv2.store import Store
from local_aws.emulator.elbv2.traffic import Traffic
from local_aws.emulator.query import Scope
from local_aws.emulator.wire import ServiceError

log = logging.getLogger("elbv2")

NOT_IN_USE = TargetHealth(
    "unused",
    "Target.NotInUse",
    "Target group is not configured to receive traffic from the load balancer",
)


class Refused(Exception):
    """The load balancer cannot carry a state, for a reason that the caller can do something about."""


class Edge(Protocol):
    """The data plane. `apply` returns when requests are treated as `state` says; raises Refused and stays as it was."""

    def start(self, state: State) -> None: ...
    def stop(self) -> None: ...
    def apply(self, state: State) -> None: ...
    def health(self, group: TargetGroup) -> Mapping[Address, TargetHealth]: ...
    def traffic(self) -> Traffic: ...


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Other services of this cloud that are asked. `log_to`: see Call."""

    find_subnets: Callable[[Sequence[str], Scope], Network]
    fitness: Callable[[str, Scope], Fitness]
    log_to: Callable[[str, str, Scope], None]


class Service:
    """Elastic Load Balancing, thread-safe. `time_scale` multiplies deregistration delays; `block`: see Call."""

    def __init__(
        self, store: Store, edge: Edge, neighbours: Neighbours, time_scale: float = 1.0, block: str = "127.0.10"
    ) -> None:
        self._store = store
        self._edge = edge
        self._neighbours = neighbours
        self._time_scale = time_scale
        self._block = block
        self._lock = threading.RLock()
        self._state = State()
        self._timers: set[threading.Timer] = set()

    def start(self) -> None:
        """Go on from the stored state. Raises wire.Unreadable, Refused."""
        with self._lock:
            self._state = drained(self._store.load(), time.time())
            self._edge.start(self._state)
            for until in {one.draining_until for each in self._state.targets.values() for one in each}:
                if until is not None:
                    self._forget_later(until)

    def stop(self) -> None:
        with self._lock:
            for timer in self._timers:
                timer.cancel()
            self._timers.clear()
            self._edge.stop()

    def perform(self, action: str, params: Params, scope: Scope) -> Shape:
        """One API action; its answer. Raises ServiceError."""
        function = ACTIONS.get(action)
        if function is None:
            raise ServiceError("InvalidAction", f"The action {action} is not valid for this endpoint.")
        with self._lock:
            after, answer = function(self._state, params, self._call(scope))
            self._change(after)
        return answer

    def _call(self, scope: Scope) -> Call:
        return Call(
            region=scope.region,
            account=scope.account,
            now=time.time(),
            new_id=lambda: secrets.token_hex(8),
            network=lambda ids: self._neighbours.find_subnets(ids, scope),
            health=self.health,
            delay_scale=self._time_scale,
            block=self._block,
            certificate=lambda arn: self._neighbours.fitness(arn, scope),
            log_to=lambda bucket, prefix: self._neighbours.log_to(bucket, prefix, scope),
        )

    def _change(self, after: State) -> None:
        """Carry and keep a new state; raises ServiceError with the old one still in force."""
        before = self._state
        if after == before:
            return
        if _concerns_traffic(before, after):
            try:
                self._edge.apply(after)
            except Refused as error:
                raise ServiceError("InvalidConfigurationRequest", str(error)) from error
        self._state = after
        self._store.save(after)
        self._plan_forgetting(before, after)

    def _plan_forgetting(self, before: State, after: State) -> None:
        old = {(arn, one) for arn, targets in before.targets.items() for one in targets}
        new = {(arn, one) for arn, targets in after.targets.items() for one in targets}
        for until in {one.draining_until for _, one in new - old}:
            if until is not None:
                self._forget_later(until)

    def _forget_later(self, until: float) -> None:
        timer = threading.Timer(max(0.0, until - time.time()) + 0.001, self._forget_drained)
        timer.daemon = True
        self._timers.add(timer)
        timer.start()

    def _forget_drained(self) -> None:
        with self._lock:
            timer = threading.current_thread()
            if timer not in self._timers:
                return  # stopped meanwhile
            self._timers = {one for one in self._timers if one is not timer}
            try:
                self._change(drained(self._state, time.time()))
            except ServiceError:
                log.exception("targets that have drained could not be removed")

    # ------------------------------------------------------------ for ECS, see targets.py

    def group(self, arn: str) -> TargetGroup:
        """Raises ServiceError TargetGroupNotFound."""
        found = self._state.target_groups.get(arn)
        if found is None:
            raise missing("Target group", arn)
        return found

    def exists(self, arn: str) -> bool:
        return arn in self._state.target_groups

    def has_load_balancer(self, arn: str) -> bool:
        return bool(self._state.load_balancers_of(arn))

    def register(self, arn: str, ip: str, port: int) -> None:
        with self._lock:
            self._change(registered(self._state, self.group(arn), [Target(ip, port)]))

    def deregister(self, arn: str, ip: str, port: int) -> None:
        with self._lock:
            until = time.time() + self.deregistration_delay(arn)
            self._change(deregistered(self._state, self.group(arn), [(ip, port)], until))

    def deregistration_delay(self, arn: str) -> float:
        return delay(self.group(arn)) * self._time_scale

    def health(self, arn: str) -> Mapping[Address, TargetHealth]:
        with self._lock:
            state, group = self._state, self.group(arn)
            targets = state.targets.get(arn, ())
            if not state.load_balancers_of(arn):
                return {one.address: NOT_IN_USE for one in targets}
            return self._edge.health(group)

    # ------------------------------------------------------------ for ACM

    def users(self, certificate: str) -> list[str]:
        """Without waiting for a change that is under way."""
        return self._state.users_of(certificate)

    def renewed(self, certificate: str) -> None:
        """Serve with the certificate as it is now."""
        with self._lock:
            if self.users(certificate):
                self._edge.apply(self._state)

    # ------------------------------------------------------------ for CloudWatch

    def traffic(self) -> Traffic:
        """What was carried since the last call."""
        return self._edge.traffic()


def _concerns_traffic(before: State, after: State) -> bool:
    """Tags, names and zones do not."""
    kinds = ("load_balancers", "listeners", "rules", "target_groups", "targets")
    return any(getattr(before, kind) != getattr(after, kind) for kind in kinds)
