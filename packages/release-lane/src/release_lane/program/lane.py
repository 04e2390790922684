"""The lane of one environment, as its template sees it: read, ask for both colours, then release.

    Image -> (Migration) -> TaskDefinition(idle) -> Service(idle) -> Rollout -> SmokeGate -> TrafficSwitch -> outputs

What is decided here holds for users whatever the template registers: which colour may be written, which gates run,
and that users are moved last. The outputs hang off the switch, so a failed update changes none of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pulumi
from pulumi_aws import iam

from release_lane.decide.choice import takes_up_nothing
from release_lane.decide.existing_network import ExistingNetwork
from release_lane.decide.forward import of_one_switch
from release_lane.decide.foundations import SECRET_STORES, Egress, identity
from release_lane.decide.refusals import overlooked, would_delete
from release_lane.decide.stores import Kind
from release_lane.errors import Refused, UsageError
from release_lane.program.environment import read_environment
from release_lane.program.gating import GateResource, checks, image_gate, rollout_gate
from release_lane.program.hold import Hold, frozen, merged
from release_lane.program.intent import Intent
from release_lane.program.migrating import Quarters, Roles, migrate, nowhere
from release_lane.program.outputs import switch_and_outputs, test_urls
from release_lane.program.plan import Doable, Environment, Plan, as_it_stands, plan_of
from release_lane.program.side import Held, Side
from release_lane.record.container import container_definition, secret_resources
from release_lane.record.endpoint import LOAD_BALANCER
from release_lane.record.flags import may_read
from release_lane.record.inputs import NOWHERE, ImageInputs, RolloutInputs, SmokeInputs
from release_lane.record.names import Names
from release_lane.record.placement import Colour, Service
from release_lane.record.records import GroupCheck, Located, Recorded
from release_lane.settings.model import EnvironmentSettings
from release_lane.settings.variables import readable_secrets, secrets_policy

if TYPE_CHECKING:
    from release_lane.program.egress import Tasks


class Lane:
    """One environment in this update: `settings` and `names` to build it from, `hold` for what is shared.

    `half_made`: database and cache whose surroundings stay as they are in this update, and which it does not make.
    Of its network: the `zones` of its own, or the `existing` one; `cidr`, its address range; `egress`: first the one
    that the settings ask for, then those of colours that have not moved there yet.
    """

    settings: EnvironmentSettings
    names: Names
    zones: tuple[str, ...]
    existing: ExistingNetwork | None
    cidr: str
    egress: tuple[Egress, ...]
    hold: Hold
    half_made: tuple[Kind, ...]
    released: bool
    """Was `release` called?"""
    intent: Intent
    """What the ledger gets of this update."""

    @staticmethod
    def read(settings: EnvironmentSettings) -> Lane:
        """Recall, observe, decide, write the intent. Raises `ReleaseError` before anything is registered."""
        lane = Lane(*read_environment(settings))
        lane.intent.begin()
        return lane

    def __init__(self, environment: Environment, decision: Doable, standing: Recorded | None) -> None:
        self._plan = plan_of(decision, standing, environment.observed, environment.settings.wanted_shift)
        stays = takes_up_nothing(decision, standing, follows=environment.settings.as_it_stands)
        environment, later = as_it_stands(environment) if stays else (environment, ())
        self.half_made = tuple(kind for kind in Kind if kind in later and kind in environment.stands_on.begun)
        if later:
            named = ", ".join(f"`{section}`" for section in later)
            pulumi.log.info(f"No way back takes up what is new in the stack file: the next update makes {named}.")
        self._environment, self._standing = environment, standing
        self._ready: GateResource | None = None
        """The last gate before tasks are started."""
        self._quarters: Quarters | None = None
        self._given: dict[str, pulumi.Input[str]] = {}
        self._exported: dict[str, pulumi.Input[Mapping[str, pulumi.Input[str]]]] = {}
        self.settings, self.names, self.zones = environment.settings, environment.names, environment.zones
        self.existing, self.cidr = environment.settings.network.existing.network, environment.cidr
        self.egress = self._egress()
        self.released = False
        self.intent = Intent.of_plan(environment, self._plan, standing)
        with self.intent.recorded():
            _need_room_for_secrets(self._services())
            self._need_written_check()
        self.hold, self._registered = _hold(self._plan, standing, environment), _roll()

    def _need_written_check(self) -> None:
        """No task starts on a colour whose target group would be left with another health check than is wanted."""
        plan, check = self._plan, self.settings.health_check
        if plan is None or plan.release is None or not plan.starts or plan.rebuilds:
            return
        wanted = GroupCheck(
            path=plan.release.service.health_path,
            interval=check.interval_seconds,
            timeout=check.timeout_seconds,
            healthy=check.healthy_threshold,
            unhealthy=check.unhealthy_threshold,
        )
        group, found = self.names.target_groups[plan.target], self._environment.observed.checks.get(plan.target)
        if found and self._environment.stands_on.overlooks(group, found, wanted):
            raise overlooked(group, found, wanted)

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

    def has(self, type_: str, name: str) -> bool:
        """Is there such a resource of network or load balancer already, by type and logical name?"""
        return identity(type_, name) in self._environment.stands_on.held

    def _egress(self) -> tuple[Egress, ...]:
        """None in a network that exists already. What is built anew has no use for earlier ones."""
        if self.existing:
            return ()
        plan, there, wanted = self._plan, self._environment.stands_on, self.settings.network.egress
        used = {*there.egress.values()} if not (plan and plan.rebuilds) else set()
        if plan and used and self._environment.stays:  # a colour stays where it is: users wait for no gateway
            used |= {wanted} & there.ways  # the next update would make it again
            at = [there.egress.get(self.names.services[colour]) for colour in (plan.target, plan.target.other)]
            wanted = next(filter(None, at), wanted)
        return (wanted, *sorted(used - {wanted}))

    def hold_egress(self, way: Egress) -> pulumi.ResourceOptions:
        """For what a way out consists of: protected for a colour that uses it and is not written in this update.

        The update in which the last colour leaves it takes the protection away, and the next one drops it.
        """
        uses = self._environment.stands_on.egress
        stays = any(uses.get(self.names.services[colour]) is way and not self.writes(colour) for colour in Colour)
        return pulumi.ResourceOptions(protect=self.hold.settled and stays)

    def hold_store(self, kind: Kind | None = None) -> pulumi.ResourceOptions:
        """For what a database or cache consists of (None: for what they share), once it exists."""
        there = self._environment.stands_on.stores
        exists = kind in there if kind else bool(there)
        # No way back waits for a change of the database: it is made by the next update.
        stays = frozen(unless=not (exists and self._environment.stays))
        return merged(pulumi.ResourceOptions(protect=self.hold.shared and exists), stays)

    @property
    def secret_stores(self) -> tuple[str, ...]:
        """Services of AWS which hold secrets that releases name, or the service reads: secretsmanager, ssm."""
        named = {arn.split(":")[2] for arn in secret_resources(self._services())}
        named |= {"secretsmanager"} if Kind.DATABASE in self.settings.stores else set()
        return tuple(store for store in SECRET_STORES if store in named)

    def secrets_policy(self) -> str:
        """What the execution role may read: the secrets that releases name; "" for none."""
        policy = secrets_policy(self._services())
        return json.dumps(policy, sort_keys=True) if policy else ""

    def reading_flags(self, role: iam.Role) -> iam.Role:
        """The same role, which may read the parameter with the environment's flags from now on (`release flag`)."""
        name = f"{self.names.cluster}-flags"
        policy = json.dumps(may_read(self.names.flags, self.names.access), sort_keys=True)
        iam.RolePolicy(name, name=name, role=role.name, policy=policy, opts=self.hold.protect())
        return role

    def _services(self) -> list[Service]:
        """Configurations that may run after this update: asked for, live, previous, planned, and what runs now."""
        held = (*self._standing.serves.values(), self._standing.previous) if self._standing else ()
        planned = self._plan.release if self._plan else None
        running = (side.release for side in self._environment.observed.sides.values())
        releases = [release for release in (*held, planned, *running) if release]
        return [self.settings.release_service(), *(release.service for release in releases)]

    # ---- The colours

    def gives(self, variables: Mapping[str, pulumi.Input[str]]) -> None:
        """Variables from resources of the template, for the containers of both colours and for migrations.

        They belong to the environment and to no release: a container has them from the next time that it is written.
        The stack file names them under `given`; those of database and cache it knows.
        """
        if unknown := sorted({*variables} - {*self.settings.all_given}):
            raise UsageError(
                f"The template gives variables that the stack file does not name: {', '.join(unknown)}.",
                why="what an image needs is compared with the stack file, before the template runs",
                next_step=f"add to the stack file, under `given`: {', '.join(unknown)}.",
            )
        self._given.update(variables)

    def exports(self, name: str, value: Mapping[str, pulumi.Input[str]]) -> None:
        """An output of the environment, written with the record; no secrets."""
        self._exported[name] = value

    def _need_given(self) -> None:
        """All that the stack file promises to images."""
        if lacking := sorted({*self.settings.all_given} - {*self._given}):
            raise UsageError(
                f"The stack file promises variables that the template does not give: {', '.join(lacking)}.",
                why="database, cache and `given` of the stack file say which ones; an image may rely on them",
                next_step="infra/__main__.py has to call `database_and_cache(lane, network, cluster)` before "
                "`lane.migrates(…)`, as `release init` writes it, and `lane.gives(…)` for what is under `given`. "
                "infra/colour.py needs `pulumi.Output.json_dumps` in place of `json.dumps`.",
            )

    def migrates(self, cluster: Roles, tasks: Tasks, after: Sequence[pulumi.Resource] = ()) -> None:
        """Where migrations run, if the stack file names one: with the roles of `cluster`, next to the service's tasks.

        `after` has to exist before a task starts, such as its log group and the database.
        """
        self._quarters = Quarters(
            execution_role=cluster.execution_role,
            task_role=cluster.task_role,
            subnets=tasks.subnets,
            groups=[tasks.group.id],
            after=[*tasks.after, *after],
        )

    def _migrated(self, plan: Plan, image: GateResource) -> GateResource:
        """The last gate before tasks are started."""
        if self._quarters and self.settings.migration.command:
            return migrate(self._environment, plan, self._quarters, image, self._given)
        if self._environment.migration:
            raise nowhere()
        return image

    def sides(self) -> tuple[Held, ...]:
        """What each colour holds; none before the first release.

        Ask once everything that both colours stand on is registered: an update that would drop any of it ends here,
        before a colour is written.
        """
        plan = self._plan
        self._need_given()
        if plan is None or plan.release is None:
            return ()
        needed = self._environment.stands_on.needed(secured=self.hold.secured)
        if self.hold.settled and (dropped := sorted(needed - self._registered)):
            raise would_delete(dropped)
        # What is true of this switch alone is the switch's to say.
        unseen = tuple(each for each in self._environment.unchecked if not of_one_switch(each))
        image = image_gate(
            ImageInputs(active=plan.starts, names=self.names, digest=plan.release.digest, unchecked=unseen)
        )
        self._ready = ready = self._migrated(plan, image)
        return tuple(self._held(colour, plan, ready) for colour in Colour)

    def _held(self, colour: Colour, plan: Plan, ready: GateResource) -> Held:
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
                given=self._given,
            ),
            tasks=plan.tasks if is_target else side.wanted if not plan.first else 0,
            written=self.writes(colour),
            scaled=is_target and (plan.empties or plan.scales_in),
            retry_of=plan.retry_of if is_target else "",
            hold=self.hold,
            after=[ready],
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
            pulumi.export(LOAD_BALANCER, address)
            for name, value in self._exported.items():
                pulumi.export(name, value)
            return
        if plan.release is None or self._ready is None:
            return
        rollout = self._rollout(plan, sides[plan.target], self._ready)
        checked = checks(
            SmokeInputs(
                active=plan.gated,
                names=self.names,
                digest=plan.release.digest,
                colour=plan.target,
                deadline=self.settings.smoke.deadline_seconds,
                commit=plan.release.commit,
                asked=plan.release.service.asked,
                compares=plan.compares and not self.settings.drill,
                live=plan.live,
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
            more={
                "testUrls": test_urls(self.names, address),
                LOAD_BALANCER: address,
                **self._exported,
            },
            hold=self.hold,
            alarms={name: colour for colour, each in alarms.items() for name in each},
            located=self._located,
        )

    @property
    def _located(self) -> Located:
        """What users stand on, as it was seen; nothing where this update may build it."""
        return self._environment.observed.located if self.hold.settled else NOWHERE

    def _rollout(self, plan: Plan, side: Side, ready: GateResource) -> GateResource:
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
            pass_of_before=ready.passedFor,
        )
        return rollout_gate(inputs, after=side)


def _hold(plan: Plan | None, standing: Recorded | None, environment: Environment) -> Hold:
    """What users stand on, or will after this update, is held; while there are no users settings are free."""
    served = plan is not None and plan.release is not None
    settled = bool(plan and served and not plan.first)
    return Hold(
        shared=settled or (served and standing is None),
        settled=settled,
        stays=environment.stays and settled and not (plan and plan.starts),
        secured=environment.observed.secured,
        leaves_tls=environment.stands_on.tls and not environment.names.domain,
    )


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
    if problem := readable_secrets(services):
        raise Refused(
            "The secrets of the releases that may run here are too many together. Nothing was changed.",
            why=problem,
            next_step="name fewer secrets (one with several JSON keys), or release twice: then the previous release "
            "is gone, and its secrets with it.",
        )
