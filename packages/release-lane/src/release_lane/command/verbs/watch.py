"""`release watch`: watch a release after its update, and roll back on a breach."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import Any

from release_lane.command.adapters.prober import WatchProbes
from release_lane.command.options import add_environment, add_lock_wait
from release_lane.command.telling import tell
from release_lane.command.tools import Tools
from release_lane.command.verbs.rollback import back_to, earlier_of
from release_lane.engine.state import StackState
from release_lane.errors import ReleaseError, UsageError
from release_lane.operate.duration import parse_duration, spoken
from release_lane.operate.watching import Look, NoData, Superseded, Verdict, bake_of, verdict
from release_lane.probe.sampling import Place, Unheard
from release_lane.record.alarms import Watched, alarms_named
from release_lane.record.asking import Asked
from release_lane.record.digest import short
from release_lane.record.endpoint import Endpoint, recorded_endpoint
from release_lane.record.evidence import proof_of
from release_lane.record.names import Names
from release_lane.record.placement import Colour
from release_lane.record.records import Recorded
from release_lane.settings.notify import Event
from release_lane.smoke.checks import Expected
from release_lane.watch.judge import Bake, Breach, Calm, Signals, Waiting, deleted, progress
from release_lane.watch.looking import Looking
from release_lane.watch.remembered import RollCall

ORDER = 100
NAME = "watch"
HELP = "Watch the live release for a while, by the signals of a switch; roll back on a breach."
DETAILS = """\
The signals are healthy targets, CloudWatch alarms (`alarms` in the stack file), the traffic of
users, and probes of its own: three failures in a row count, or more than 5 % in the last 60 s.
Errors and latency of users count through the alarms; 5xx that the load balancer answers itself,
because the service broke off or gave no answer, count by themselves. The verdict is one of

  calm        0  all signals were good
  breach      1  a signal failed; rolled back, unless --no-rollback
  no data     3  no signal failed, but there were too few users, an alarm does not exist,
                 or no answer of the live URL came from this release
  superseded  4  somebody else moved the traffic; nothing is rolled back

  release watch production --for 30m --yes
  release watch staging --for 5m --no-rollback
"""

LOOK = 5.0
"""Seconds between two looks at targets, rule and alarms."""
METRICS_EVERY = 30.0
"""Seconds between two looks at metrics: they change by the minute."""
TELL_EVERY = 30.0
"""Seconds between two lines of progress."""

EXIT_CODES = {"calm": 0, "breach": 1, "no data": 3, "superseded": 4}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    add_environment(parser)
    parser.add_argument(
        "--for", type=parse_duration, dest="seconds", metavar="DURATION", required=True,
        help="how long, such as 30m; some minutes longer while there are too few users",
    )  # fmt: skip
    parser.add_argument("--no-rollback", action="store_true", help="only report; do not roll back on a breach")
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask whether to roll back on a breach")
    add_lock_wait(parser)


@dataclass(frozen=True, kw_only=True)
class Watch:
    """One watch: what is watched, since when (epoch seconds)."""

    tools: Tools
    environment: str
    recorded: Recorded
    names: Names
    watched: Watched
    bake: Bake
    began: float


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Watch to the end or to a breach; then act on the verdict."""
    environment = tools.project.route.check(arguments.environment)
    tools.engine.ready()
    before = tools.existing(environment)
    recorded = before.recorded
    if recorded is None:
        raise UsageError(f"Nothing is live in {environment}.", next_step=f"`release deploy {environment}` first.")
    if any(each.service.asked != recorded.newest.service.asked for each in recorded.serves.values()):
        raise UsageError(
            "A hold stands, and its two releases are asked in different ways: the live URL cannot be probed.",
            next_step="the alarms of both colours go on; `release hold end` leaves one release.",
        )
    _confirm(tools, environment, recorded, arguments)
    watch = _begun(tools, environment, recorded, arguments.seconds)
    endpoint, asked = recorded_endpoint(before.outputs), recorded.newest.service.asked
    url = endpoint.url
    tools.terminal.say(
        f"Watching {environment}, {short(recorded.newest.digest)} on {recorded.newest_colour}, "
        f"for {spoken(arguments.seconds)}: targets, {len(watch.watched.names)} alarms, "
        f"users' traffic, probes of {url}{asked.path}. "
        f"Up to {spoken(_extended(watch))} longer while there are too few users."
    )
    for sentence in asked.unchecked:
        tools.terminal.say(f"Not checked: {sentence}.")
    place = _place(recorded, endpoint, asked)
    with tools.prober.during(place) as probes:
        found, signals = _until_decided(watch, probes)
        unheard = probes.unheard()
    if isinstance(found, Calm) and unheard and unheard.reached:
        found = NoData(f"no answer of {url}{asked.path} was that of the release: {unheard.why}")
    if isinstance(found, Calm) and not asked.names:
        found = _still_there(watch)
    return _conclude(tools, watch, found, signals, arguments, (*asked.unchecked, *_unprobed(signals, unheard)))


def _place(recorded: Recorded, endpoint: Endpoint, asked: Asked) -> Place:
    """The live URL; while a hold stands, either release may answer there."""
    releases = (recorded.newest, *(each for each in recorded.serves.values() if each != recorded.newest))
    known = tuple(Expected(digest=each.digest, asked=each.service.asked) for each in releases)
    colour = None if recorded.hold else recorded.live_colour
    return Place(name=endpoint.url + asked.path, endpoint=endpoint, known=known, colour=colour)


def _still_there(watch: Watch) -> Calm | Superseded:
    """Where answers name no release, ECS does: check that the watched release runs."""
    colour, live = watch.recorded.newest_colour, watch.recorded.newest
    found = watch.tools.cloud.observed(watch.names).sides[colour].release_id
    return (
        Calm()
        if found == live.id
        else Superseded(f"{colour} runs {found or 'an unknown release'} instead of {live.id}")
    )


def _unprobed(signals: Signals, unheard: Unheard | None) -> tuple[str, ...]:
    """Own probes without a result, in words."""
    if any(tally.sent for tally in signals.probes):
        return ()
    why = f": {unheard.why}" if unheard else ""
    return (f"no probe of the live URL from this machine got a good answer, so probes were no signal{why}",)


def _extended(watch: Watch) -> float:
    """Seconds by which the watch is longer without users: their first whole period has to be reported."""
    return watch.bake.ends_at_last(watch.began) - watch.bake.ends(watch.began)


def _confirm(tools: Tools, environment: str, recorded: Recorded, arguments: argparse.Namespace) -> None:
    """Confirm now that a breach may be rolled back: the person may have left by then."""
    if arguments.no_rollback:
        return
    earlier_of(recorded, environment)
    tools.terminal.confirm(
        f"On a breach {environment} is rolled back without another question. Go on?",
        yes=arguments.yes or not tools.project.route.guarded(environment),
        what=f"Rolling {environment} back on a breach",
        next_step="give --yes to allow it, or --no-rollback to only report.",
        instead="--no-rollback only reports.",
    )


def _begun(tools: Tools, environment: str, recorded: Recorded, seconds: float) -> Watch:
    """The first look finds the alarms that were firing before the release; these do not count against it."""
    stack, names = tools.project.stacks[environment], tools.project.names(environment)
    now = tools.machine.clock()
    proof = proof_of(recorded.newest.digest, recorded.evidence)
    released = (tools.machine.epoch(proof.at) if proof else None) or now
    settings = stack.alarms
    watched = settings.watched(names)
    alarms = tools.cloud.look(names, watched, settings.period_seconds, None).alarms
    bake = bake_of(
        recorded.newest_colour,
        alarms,
        seconds=seconds,
        released=released,
        period=settings.period_seconds,
        datapoints=settings.datapoints,
        lateness=settings.late_seconds,
    )
    for alarm in alarms:
        if alarm.episode in bake.before:
            tools.terminal.say(f"{alarm.words()} since before this release; it counts only if it fires again.")
    return Watch(
        tools=tools, environment=environment, recorded=recorded, names=names, watched=watched, bake=bake, began=now
    )


# ---- Looking ------------------------------------------------------------------------------------------------


def _until_decided(watch: Watch, probes: WatchProbes) -> tuple[Calm | Breach | NoData | Superseded, Signals]:
    machine, say = watch.tools.machine, watch.tools.terminal.say
    looking = Looking(
        bake=watch.bake,
        roll=RollCall(watch.watched.names),
        clock=machine.clock,
        note=lambda text: say(f"{watch.environment}: {text}."),
        began=watch.began,
        metrics_every=METRICS_EVERY,
    )
    said_at, gone = float("-inf"), tuple[str, ...]()

    def read(now: float, traffic_due: bool) -> Look:
        wanted = (watch.began, now) if traffic_due else None
        look = watch.tools.cloud.look(watch.names, watch.watched, watch.bake.period, wanted)
        own = {colour: probes.own(colour) for colour in Colour}
        return replace(look, own=own, tallies=probes.tallies())

    def decide(look: Look, signals: Signals) -> Verdict:
        nonlocal gone
        before, gone = gone, deleted(signals, watch.bake)
        if new := [name for name in gone if name not in before]:
            say(f"{alarms_named(new).replace('the alarm', 'THE ALARM')} CANNOT BE WATCHED: deleted, or never made.")
        return verdict(look, signals, watch.bake, watch.recorded)

    def go_on(waiting: Waiting, signals: Signals) -> None:
        nonlocal said_at
        if signals.now - said_at >= TELL_EVERY:
            said_at = signals.now
            say(f"{watch.environment}: {waiting.why}; {progress(signals, watch.bake)}")
        machine.sleep(LOOK)

    return looking.until_decided(watch.began, read, decide, go_on)


# ---- Concluding ---------------------------------------------------------------------------------------------


def _conclude(
    tools: Tools,
    watch: Watch,
    found: Calm | Breach | NoData | Superseded,
    signals: Signals,
    arguments: argparse.Namespace,
    unchecked: tuple[str, ...],
) -> int:
    name, reason = _named(found)
    data: dict[str, Any] = {
        "environment": watch.environment,
        "verdict": name,
        "reason": reason or None,
        "digest": watch.recorded.newest.digest,
        "liveColour": str(watch.recorded.newest_colour),
        "seconds": round(signals.now - watch.began),
        "seen": progress(signals, watch.bake),
        "unchecked": list(unchecked),
        "rolledBack": None,
        "rollback": None,
        "problem": None,
    }
    text = f"{watch.environment}: {name}{f': {reason}' if reason else ''}. Seen: {data['seen']}."
    text += f" Not checked: {'; '.join(unchecked)}." if unchecked else ""
    if isinstance(found, Breach):
        tell(tools, watch.environment, Event.BREACH, f"The watch saw: {reason}.", watch.recorded.newest.digest)
        if not arguments.no_rollback:
            text = f"{text}\n{_rolled_back(tools, watch, data, found.reason, arguments)}"
    if isinstance(found, NoData):
        text = (
            f"{text}\nNext: watch again when there is data; `release smoke {watch.environment}` checks the service now."
        )
    tools.terminal.emit(data, text)
    return EXIT_CODES[name]


def _named(found: Calm | Breach | NoData | Superseded) -> tuple[str, str]:
    match found:
        case Calm():
            return "calm", ""
        case Breach(reason):
            return "breach", reason
        case NoData(reason):
            return "no data", reason
        case Superseded(where):
            return "superseded", where


def _rolled_back(tools: Tools, watch: Watch, data: dict[str, Any], fault: str, arguments: argparse.Namespace) -> str:
    """Through the pipeline, like `release rollback`; the result in words."""
    tools.terminal.say(f"Rolling back {watch.environment}.")
    try:
        done, text = _roll_back(tools, watch, fault, arguments)
    except ReleaseError as error:
        data.update(rolledBack=False, problem=error.what)
        tools.terminal.say(str(error))
        return f"It could NOT be rolled back: {error.what}\nNext: `release rollback {watch.environment}`."
    data.update(rolledBack=True, rollback=done)
    return f"Rolled back. {text}"


def _roll_back(tools: Tools, watch: Watch, fault: str, arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    before: StackState = tools.existing(watch.environment)
    recorded = before.recorded
    if recorded is None or recorded.newest != watch.recorded.newest:
        raise UsageError(f"{watch.environment} has another release by now.", next_step="watch that one.")
    digest = earlier_of(recorded, watch.environment)
    return back_to(tools, watch.environment, digest, before, recorded, wait=arguments.lock_wait, fault=fault)
