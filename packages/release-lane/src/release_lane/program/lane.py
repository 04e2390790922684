"""The lane of one environment, as its template sees it: read, ask for both colours, then release.

    Image -> TaskDefinition(idle) -> Service(idle) -> Rollout -> SmokeGate -> TrafficSwitch -> outputs

What is decided here holds for users whatever the template registers: which colour may be written, which gates run,
and that users are moved last. The outputs hang off the switch, so a failed update changes none of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pulumi

from release_lane.decide.foundations import identity
from release_lane.decide.lineage import is_about_order
from release_lane.decide.refusals import would_delete
from release_lane.errors import Refused
from release_lane.program.environment import read_environment
from release_lane.program.gating import GateResource, checks, image_gate, rollout_gate
from release_lane.program.hold import Hold, frozen
from release_lane.program.outputs import switch_and_outputs, test_urls
from release_lane.program.plan import Doable, Environment, Plan, plan_of
from release_lane.program.side import Held, Side
from release_lane.record.container import container_definition
from release_lane.record.inputs import NOWHERE, ImageInputs, RolloutInputs, SmokeInputs
from release_lane.record.names import Names
from release_lane.record.placement import Colour, Service
from release_lane.record.records import Located, Recorded
from release_lane.settings import limits
from release_lane.settings.model import EnvironmentSettings


class Lane:
    """One environment in this update: `settings`, `names` and `zones` to build it from, `hold` for what is shared."""

    settings: EnvironmentSettings
    names: Names
    zones: tuple[str, ...]
    hold: Hold
    released: bool
    """Was `release` called?"""

    @staticmethod
    def read(settings: EnvironmentSettings) -> Lane:
        """Recall, observe, decide. Raises `ReleaseError` before anything is registered."""
        return Lane(*read_environment(settings))

    def __init__(self, environment: Environment, decision: Doable, standing: Recorded | None) -> None:
        self._environment, self._standing = environment, standing
        self._plan = plan_of(decision, standing, environment.observed, environment.settings.wanted_shift)
        self._image: GateResource | None = None
        self.settings, self.names, self.zones = environment.settings, environment.names, environment.zones
        self.released = False
        _need_room_for_secrets(self._services())
        self.hold, self._registered = _hold(self._plan, standing), _roll()

    # ---- What both colours stand on

    def writes(self, colour: Colour) -> bool:
        """May this update change what the colour holds? While no users are served, yes."""
        plan = self._plan
        return plan is None or plan.first or (plan.starts and colour is plan.target)

    def frozen(self, colour: Colour) -> pulumi.ResourceOptions:
        """For what belongs to one colour: as it is, unless the colour is written."""
        return frozen(unless=self.writes(colour))

    def served_by(self, colour: Colour) -> Service:
        """How the colour's container is asked: its port and paths, as the release that it holds says."""
        plan = self._plan
        wanted = plan.release.service if plan and plan.release else self.settings.release_service()
        if plan and colour is not plan.target:
            release = self._environment.observed.sides[colour].release
            return release.service if release else wanted
        return wanted

    def known_as(self, name: str, port: int, cidr: str) -> pulumi.ResourceOptions:
        """For the rule `name` that lets a range reach a port: one that the state has under another name is renamed."""
        known = self._environment.stands_on.doors.get((port, cidr))
        return pulumi.ResourceOptions(aliases=[pulumi.Alias(name=known)] if known and known != name else [])

    def secrets_policy(self) -> str:
        """What the execution role may read: the secrets that releases name; "" for none."""
        policy = limits.secrets_policy(self._services())
        return json.dumps(policy, sort_keys=True) if policy else ""

    def _services(self) -> list[Service]:
        """Configurations that may run after this update: asked for, live, previous, planned, and what runs now."""
        held = (self._standing.live, self._standing.previous) if self._standing else ()
        planned = self._plan.release if self._plan else None
        running = (side.release for side in self._environment.observed.sides.values())
        releases = [release for release in (*held, planned, *running) if release]
        return [self.settings.release_service(), *(release.service for release in releases)]

    # ---- The colours

    def sides(self) -> tuple[Held, ...]:
        """What each colour holds; none before the first release.

        Ask once everything that both colours stand on is registered: an update that would drop any of it ends here,
        before a colour is written.
        """
        plan = self._plan
        if plan is None or plan.release is None:
            return ()
        if self.hold.settled and (dropped := sorted(self._environment.stands_on.held - self._registered)):
            raise would_delete(dropped)
        # The order of commits is the switch's to say.
        unseen = tuple(each for each in self._environment.unchecked if not is_about_order(each))
        self._image = image_gate(
            ImageInputs(active=plan.starts, names=self.names, digest=plan.release.digest, unchecked=unseen)
        )
        return tuple(self._held(colour, plan, self._image) for colour in Colour)

    def _held(self, colour: Colour, plan: Plan, image: GateResource) -> Held:
        """The colour that is written gets the plan's release; the other one keeps what it has, unread."""
        is_target, side, standing = colour is plan.target, self._environment.observed.sides[colour], self._standing
        kept = side.release or (standing.live if standing else plan.release)
        release = plan.release if is_target or plan.first else kept
        assert release is not None
        return Held(
            colour=colour,
            name=self.names.services[colour],
            release=release,
            container=container_definition(
                release,
                colour,
                repository=self._environment.repository,
                container=self.names.container,
                log_group=self.names.log_group,
                region=self.names.access.region,
            ),
            tasks=plan.tasks if is_target else side.wanted if not plan.first else 0,
            written=self.writes(colour),
            scaled=is_target and (plan.empties or plan.scales_in),
            retry_of=plan.retry_of if is_target else "",
            hold=self.hold,
            after=[image],
        )

    # ---- Gates, switch, outputs

    def release(
        self,
        sides: Mapping[Colour, Side],
        address: pulumi.Output[str],
        *,
        alarms: Mapping[Colour, Mapping[str, pulumi.Resource]],
        after: Sequence[pulumi.Resource],
    ) -> None:
        """Gates, then the switch, then the outputs. `address` is the load balancer's DNS name.

        `alarms` are each colour's CloudWatch alarms by name: the switch watches them. `after` is all else that has to
        be as it should be before users are moved.
        """
        self.released = True
        plan = self._plan
        if plan is None:
            pulumi.export("testUrls", test_urls(self.names, address))
            return
        if plan.release is None or self._image is None:
            return
        rollout = self._rollout(plan, sides[plan.target], self._image)
        checked = checks(
            SmokeInputs(
                active=plan.gated,
                names=self.names,
                digest=plan.release.digest,
                colour=plan.target,
                deadline=self.settings.smoke.deadline_seconds,
                commit=plan.release.commit,
                asked=plan.release.service.asked,
                located=self._located,
            ),
            after=rollout,
        )
        switch_and_outputs(
            self._environment,
            plan,
            self._standing,
            checked=checked,
            before=[*after, *(alarm for each in alarms.values() for alarm in each.values()), *sides.values()],
            address=address,
            hold=self.hold,
            alarms={name: colour for colour, each in alarms.items() for name in each},
            located=self._located,
        )

    @property
    def _located(self) -> Located:
        """What users stand on, as it was seen; nothing where this update may build it."""
        return self._environment.observed.located if self.hold.settled else NOWHERE

    def _rollout(self, plan: Plan, side: Side, image: GateResource) -> GateResource:
        assert plan.release is not None
        runs = self._environment.observed.sides[plan.target].task_definition
        corrects = plan.starts or plan.empties or plan.scales_in
        inputs = RolloutInputs(
            active=plan.gated or corrects,
            names=self.names,
            digest=plan.release.digest,
            colour=plan.target,
            tasks=plan.tasks,
            # What was just written there; or else what the colour was seen to run when this update decided.
            task_definition=side.task_definition.arn if corrects else runs,
            deadline=self.settings.rollout.deadline_seconds,
            port=plan.release.service.port,
            health_path=plan.release.service.health_path,
            starts=plan.starts,
            corrects=corrects,
            retry_of=plan.retry_of,
            located=self._located,
            known=None if corrects else self._environment.observed.sides[plan.target].known,
            pass_of_before=image.passedFor,
        )
        return rollout_gate(inputs, after=side)


def _hold(plan: Plan | None, standing: Recorded | None) -> Hold:
    """What users stand on, or will after this update, is held; while there are no users settings are free."""
    served = plan is not None and plan.release is not None
    settled = bool(plan and served and not plan.first)
    return Hold(shared=settled or (served and standing is None), settled=settled)


def _roll() -> set[str]:
    """What is registered from now on, under its name and those that it had; it grows."""
    seen: set[str] = set()

    def note(args: pulumi.ResourceTransformationArgs) -> None:
        known = (alias.name if isinstance(alias, pulumi.Alias) else alias for alias in args.opts.aliases or ())
        names = [args.name, *(name.rsplit("::", 1)[-1] for name in known if isinstance(name, str))]
        seen.update(identity(args.type_, name) for name in names)

    pulumi.runtime.register_stack_transformation(note)
    return seen


def _need_room_for_secrets(services: Sequence[Service]) -> None:
    """Before anything changes: what is live and previous reads its secrets by the same policy as what comes."""
    if problem := limits.readable_secrets(services):
        raise Refused(
            "The secrets of the releases that may run here are too many together. Nothing was changed.",
            why=problem,
            next_step="name fewer secrets (one with several JSON keys), or release twice: then the previous release "
            "is gone, and its secrets with it.",
        )
