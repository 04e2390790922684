"""`release watch`: keep an eye on a release after its update, and roll back on a breach."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from release_lane.command.adapters.prober import Beside, Unheard
from release_lane.command.releasing import add_environment, add_lock_wait
from release_lane.command.telling import tell
from release_lane.command.tools import Tools
from release_lane.command.verbs.rollback import back_to, previous_of
from release_lane.engine.state import StackState
from release_lane.errors import Interrupted, ReleaseError, UsageError
from release_lane.operate.duration import parse_duration, spoken
from release_lane.operate.notices import Event
from release_lane.operate.watching import Alarming, Look, NoData, Superseded, bake_of, verdict
from release_lane.record.alarms import alarms_named, no_sign
from release_lane.record.digest import short
from release_lane.record.evidence import proof_of
from release_lane.record.names import Names
from release_lane.record.placement import Colour
from release_lane.record.records import Recorded
from release_lane.watch.judge import Bake, Breach, Calm, Datapoint, Signals, Waiting, deleted, of_users, progress
from release_lane.watch.remembered import Lately, RollCall, Shortages

NAME = "watch"
HELP = "Watch what is live for a while, by the same signals as a switch; roll back on a breach."
DETAILS = """\
Healthy targets, CloudWatch alarms (`alarms` of the stack file), the traffic of users, and probes
of its own: three failures in a row count, or more than 5 % in the last 60 s. Errors and latency
of users count by the alarms, each over its own last periods. The verdict is calm (exit code 0),
breach (1, rolled back unless --no-rollback), no data (3: nothing speaks against the release, but
too few users were seen to call it tried, an alarm does not exist, or the live URL answered, but
never as that release), or superseded (4: somebody
else moved users meanwhile; nothing is rolled back).

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
        help="how long, like 30m; longer by some minutes while too few users are seen",
    )  # fmt: skip
    parser.add_argument("--no-rollback", action="store_true", help="only tell; do not roll back on a breach")
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask whether a breach may be rolled back")
    add_lock_wait(parser)


@dataclass
class Watch:
    """One watch: what is fixed, and what is remembered from look to look."""

    tools: Tools
    environment: str
    recorded: Recorded
    names: Names
    alarming: Alarming
    bake: Bake
    began: float
    traffic: Mapping[Colour, tuple[Datapoint, ...]] = field(default_factory=dict)
    read_at: float = float("-inf")
    told_at: float = float("-inf")
    shortages: Shortages = field(default_factory=Shortages)
    lately: Lately = field(default_factory=Lately)
    roll: RollCall = field(default_factory=RollCall)
    gone: tuple[str, ...] = ()


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Watch to the end or to a breach; then what follows from the verdict."""
    environment = tools.project.route.check(arguments.environment)
    tools.engine.ready()
    before = tools.existing(environment)
    recorded = before.recorded
    if recorded is None:
        raise UsageError(f"Nothing is live in {environment}.", next_step=f"`release deploy {environment}` first.")
    _confirm(tools, environment, recorded, arguments)
    watch = _begun(tools, environment, recorded, arguments.seconds)
    url, asked = str(before.outputs["url"]), recorded.live.service.asked
    tools.terminal.say(
        f"Watching {environment}, {short(recorded.live.digest)} on {recorded.live_colour}, "
        f"for {spoken(arguments.seconds)}: targets, {len(watch.alarming.watched(watch.names).names)} alarms, "
        f"users' traffic, probes of {url}{asked.path}. "
        f"Up to {spoken(_extended(watch))} longer while too few users are seen."
    )
    for sentence in asked.unchecked:
        tools.terminal.say(f"Not checked: {sentence}.")
    with tools.prober.beside(url, recorded.live.digest, asked) as probes:
        found, signals = _until_decided(watch, probes)
        unheard = probes.unheard()
    if isinstance(found, Calm) and unheard and unheard.reached:
        found = NoData(f"no answer of {url}{asked.path} was that of the release: {unheard.why}")
    if isinstance(found, Calm) and not asked.names:
        found = _still_there(watch)
    return _conclude(tools, watch, found, signals, arguments, (*asked.unchecked, *_unprobed(signals, unheard)))


def _still_there(watch: Watch) -> Calm | Superseded:
    """Where answers do not say which release they are, ECS does: what runs is what was watched."""
    colour, live = watch.recorded.live_colour, watch.recorded.live
    found = watch.tools.cloud.observed(watch.names).sides[colour].release_id
    return Calm() if found == live.id else Superseded(f"{colour} runs {found or 'something'} in place of {live.id}")


def _unprobed(signals: Signals, unheard: Unheard | None) -> tuple[str, ...]:
    """Own probes that were no signal."""
    if any(tally.sent for tally in signals.probes):
        return ()
    why = f": {unheard.why}" if unheard else ""
    return (f"the live URL gave no good answer on this machine, so its probes were no signal{why}",)


def _extended(watch: Watch) -> float:
    """Seconds by which it is longer where no users are seen: their first whole period has to come."""
    return watch.bake.ends_at_last(watch.began) - watch.bake.ends(watch.began)


def _confirm(tools: Tools, environment: str, recorded: Recorded, arguments: argparse.Namespace) -> None:
    """That a breach may be rolled back is asked now: later there may be nobody."""
    if arguments.no_rollback:
        return
    previous_of(recorded, environment)
    if arguments.yes or not tools.project.route.guarded(environment):
        return
    if not tools.terminal.interactive:
        raise UsageError(
            f"On a breach {environment} is rolled back; that wants a confirmation, and there is no terminal to ask on.",
            next_step="give --yes to allow it, or --no-rollback to be told only.",
        )
    if not tools.terminal.ask(f"On a breach {environment} is rolled back without another question. Go on?"):
        raise Interrupted("Not confirmed. Nothing was changed.", next_step="--no-rollback only tells.")


def _begun(tools: Tools, environment: str, recorded: Recorded, seconds: float) -> Watch:
    """The first look says which alarms rang before the release, and are not its fault."""
    stack, names = tools.project.stacks[environment], tools.project.names(environment)
    now = tools.machine.clock()
    proof = proof_of(recorded.live.digest, recorded.evidence)
    released = (tools.machine.epoch(proof.at) if proof else None) or now
    alarms = tools.cloud.look(names, stack.alarming.watched(names), stack.alarming.period, None).alarms
    bake = bake_of(recorded.live_colour, stack.alarming, alarms, seconds=seconds, released=released)
    for alarm in alarms:
        if alarm.episode in bake.before:
            tools.terminal.say(f"{alarm.words()} since before this release; it counts only if it fires again.")
    return Watch(
        tools=tools, environment=environment, recorded=recorded, names=names, alarming=stack.alarming, bake=bake,
        began=now, roll=RollCall(stack.alarming.watched(names).names),
    )  # fmt: skip


# ---- Looking ------------------------------------------------------------------------------------------------


def _until_decided(watch: Watch, probes: Beside) -> tuple[Calm | Breach | NoData | Superseded, Signals]:
    while True:
        look, signals = _look(watch, probes)
        found = verdict(look, signals, watch.bake, watch.recorded)
        if not isinstance(found, Waiting):
            return found, signals
        if signals.now - watch.told_at >= TELL_EVERY:
            watch.told_at = signals.now
            watch.tools.terminal.say(f"{watch.environment}: {found.why}; {progress(signals, watch.bake)}")
        watch.tools.machine.sleep(LOOK)


def _look(watch: Watch, probes: Beside) -> tuple[Look, Signals]:
    tools, alarming = watch.tools, watch.alarming
    now = tools.machine.clock()
    wanted = (watch.began, now) if now - watch.read_at >= min(METRICS_EVERY, alarming.period) else None
    look = tools.cloud.look(watch.names, alarming.watched(watch.names), alarming.period, wanted)
    if wanted:
        watch.traffic, watch.read_at = look.traffic, now
    own = probes.own()
    tally = probes.tally()
    seen = Signals(
        now=now,
        step_began=watch.began,
        health={colour: watch.shortages.seen(colour, seen, now) for colour, seen in look.health.items()},
        alarms=look.alarms,
        unseen=watch.roll.unseen(look.alarms),
        probes=(watch.lately.seen(tally, now),),
        traffic={colour: of_users(points, own, alarming.period) for colour, points in watch.traffic.items()},
    )
    _tell_alarms(watch, seen)
    return look, seen


def _tell_alarms(watch: Watch, seen: Signals) -> None:
    """Those that say nothing, when they fall silent: that is not to be taken for calm."""
    before, watch.gone = watch.gone, deleted(seen, watch.bake)
    if new := [name for name in watch.gone if name not in before]:
        watch.tools.terminal.say(
            f"{alarms_named(new).replace('the alarm', 'THE ALARM')} CANNOT BE WATCHED: deleted, or never made."
        )
    if silent := watch.roll.newly_without_data(seen.alarms):
        watch.tools.terminal.say(f"{watch.environment}: {no_sign(silent)}.")


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
        "digest": watch.recorded.live.digest,
        "liveColour": str(watch.recorded.live_colour),
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
        tell(tools, watch.environment, Event.BREACH, f"The watch saw: {reason}.", watch.recorded.live.digest)
        if not arguments.no_rollback:
            text = f"{text}\n{_rolled_back(tools, watch, data, arguments)}"
    if isinstance(found, NoData):
        text = f"{text}\nNext: watch again when that can be seen; `release smoke {watch.environment}` asks meanwhile."
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


def _rolled_back(tools: Tools, watch: Watch, data: dict[str, Any], arguments: argparse.Namespace) -> str:
    """Through the pipeline, as `release rollback` does it; in words what came of it."""
    tools.terminal.say(f"Rolling back {watch.environment}.")
    try:
        done, text = _roll_back(tools, watch, arguments)
    except ReleaseError as error:
        data.update(rolledBack=False, problem=error.what)
        tools.terminal.say(str(error))
        return f"It could NOT be rolled back: {error.what}\nNext: `release rollback {watch.environment}`."
    data.update(rolledBack=True, rollback=done)
    return f"Rolled back. {text}"


def _roll_back(tools: Tools, watch: Watch, arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    before: StackState = tools.existing(watch.environment)
    recorded = before.recorded
    if recorded is None or recorded.live != watch.recorded.live:
        raise UsageError(f"{watch.environment} has another release by now.", next_step="watch that one.")
    digest = previous_of(recorded, watch.environment)
    return back_to(tools, watch.environment, digest, before, recorded, wait=arguments.lock_wait)
