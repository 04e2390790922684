"""The route of a release: its steps, who does them, what usually breaks, and the checklist for the release at hand.
Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from release_lane.operate.duration import spoken
from release_lane.operate.metrics import changes
from release_lane.operate.page import (
    Block,
    Bullets,
    Card,
    Cards,
    Page,
    Section,
    Table,
    Text,
    code,
    harmless,
    link,
    quoted,
)
from release_lane.operate.situation import Check, Level, Situation, Wanted, checklist, is_live
from release_lane.record.course import Course
from release_lane.record.intended import VOID_SEAL
from release_lane.record.ledger import Entry, Result

LONGEST = 140
"""Letters of a reason."""


@dataclass(frozen=True, kw_only=True)
class Leg:
    """How one environment takes a release, by its stack file. `people`: what a person has to do there.

    `rollout`, `smoke` and `migration` are seconds that these gates wait at most; None where no migration runs.
    """

    environment: str
    source: str | None
    course: Course
    rollout: float
    smoke: float
    migration: float | None = None
    alarms: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    domain: str = ""


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How releases to one environment ended so far: how often by result, and the reasons that came most often."""

    results: tuple[tuple[Result, int], ...] = ()
    unapproved: int = 0
    """Of those that were refused: an approval or a seal was missing or no longer held."""
    reasons: tuple[tuple[str, int], ...] = ()

    @property
    def begun(self) -> int:
        """All of them."""
        return sum(count for _, count in self.results)


def tally(entries: Sequence[Entry], environment: str) -> Tally:
    """From the ledger."""
    ended = [each for each in changes(entries) if each.first.environment == environment and each.outcome]
    reasons = Counter(why for each in ended if (why := _reason(str(each.said("why") or ""))))
    return Tally(
        results=tuple(Counter(each.result for each in ended).most_common()),
        unapproved=sum(each.result is Result.REFUSED and bool(each.said(VOID_SEAL)) for each in ended),
        reasons=tuple(reasons.most_common(3)),
    )


def _reason(why: str) -> str:
    """Its first sentence, without what is of one release only."""
    words = [word for word in " ".join(why.split()).split(" ") if not word.startswith("sha256:")]
    first = " ".join(words).split(". ")[0].removesuffix(".")
    return first if len(first) <= LONGEST else first[:LONGEST] + "…"


# ---- What every release goes through

STEPS = (
    ("Build or adopt", "machine", "once per commit; later steps know the image by its digest alone",
     "a Dockerfile that needs the network, files that no commit has"),
    ("Decide", "machine", "evidence, order of commits, placement, drift, alarms; before anything changes",
     "no proof of the environment before, an older commit, drift, an alarm that is firing"),
    ("Approve", "person", "reads the review and starts the update, or says no",
     "something moved since the review; no answer comes"),
    ("Image", "machine", "the registry still has it, for the processors that the tasks have",
     "a lifecycle rule that deleted it"),
    ("Migration", "machine", "where the stack file names one: changes the database's schema, before a task starts",
     "a lock that another session holds, a schema that the live release cannot live with"),
    ("Rollout", "machine", "the idle colour runs it, all tasks healthy; no user is there",
     "tasks that exit or fail their health check, missing secrets, no room"),
    ("SmokeGate", "machine", "the smoke checks pass at the test listener",
     "a dependency that only this environment has"),
    ("Switch", "machine", "moves the traffic step by step and watches; rolls it back on any failing signal",
     "errors, slow answers or an alarm under real traffic"),
    ("Watch", "machine", "`release watch` for as long as you like after the update", "what comes with load or time"),
    ("Roll back", "person or machine", "`release rollback`, or the watch by itself",
     "an idle colour that no longer runs the previous release: it takes minutes then"),
)  # fmt: skip
"""Name, who does it, what it does, what usually breaks."""


def plan_page(
    project: str, legs: Sequence[Leg], tallies: Sequence[Tally], wanted: Sequence[Wanted], at: Sequence[Situation]
) -> Page:
    """All of it, for one image: an environment of the route in each place of these."""
    image = wanted[0]
    commit = f" of commit {code(image.commit[:12])}" if image.commit else ""
    said = f"The release at hand: {code(image.digest)}{commit}."
    cards = Cards("The route", (_built(), *(_card(leg, each) for leg, each in zip(legs, tallies, strict=True))))
    steps = Table(("Step", "By", "What it does", "What usually breaks"), tuple((name, *rest) for name, *rest in STEPS))
    lists = (
        Section(_heading(each, image), (_bullets(checklist(each, image)),))
        for each, image in zip(at, wanted, strict=True)
    )
    return Page(
        f"Release plan: {harmless(project)}",
        (
            Section("", (Text(said),)),
            Section("The route", (cards,)),
            *lists,
            Section("Every step, and what usually breaks", (steps,)),
        ),
    )


def _built() -> Card:
    return Card("image", "machine", ("built once, or adopted; from here on it is one digest",))


def _card(leg: Leg, tally: Tally) -> Card:
    takes = f"takes what {quoted(leg.source)} proved" if leg.source else "takes any digest of the registry"
    signals = f"{len(leg.alarms)} alarms" if leg.alarms else "no alarms"
    items = [
        takes,
        *(f"**person:** {quoted(each)}" for each in leg.people),
        f"gates: {', '.join(_gates(leg))}",
        f"switch: {leg.course.words()}; signals: targets, own probes, errors, {signals}",
        _so_far(tally),
        *(f"usually breaks: {quoted(reason)} ({count})" for reason, count in tally.reasons),
    ]
    return Card(quoted(leg.environment), quoted(leg.domain), tuple(items))


def _gates(leg: Leg) -> Iterator[str]:
    yield "Image"
    if leg.migration is not None:
        yield f"Migration (at most {spoken(leg.migration)})"
    yield f"Rollout (at most {spoken(leg.rollout)})"
    yield f"SmokeGate (at most {spoken(leg.smoke)})"


def _so_far(tally: Tally) -> str:
    ended = ", ".join(f"{count} {result}{_unapproved(tally, result)}" for result, count in tally.results)
    return f"so far: {ended}" if ended else "so far: no release in the ledger"


def _unapproved(tally: Tally, result: Result) -> str:
    """Those stopped no release: `release metrics` does not count them as stopped in time."""
    if result is not Result.REFUSED or not tally.unapproved:
        return ""
    return f" ({tally.unapproved} for want of a valid approval)"


def _heading(at: Situation, wanted: Wanted) -> str:
    if is_live(at, wanted.digest):
        return f"{harmless(at.environment)} has it"
    return f"Before {harmless(at.environment)} takes it"


def _bullets(checks: Iterable[Check]) -> Block:
    return Bullets(tuple(map(check_words, checks)))


def check_words(check: Check) -> str:
    """One line: sign, level, what it is about, how it stands."""
    text = quoted(check.text)
    level = f"**{check.level.sign} {check.level}**" if check.level is Level.NO else f"{check.level.sign} {check.level}"
    do = f": {code(check.do)}" if check.do else ""
    return f"{level}: {check.about}: {link(text, check.link) if check.link else text}{do}"


def plan_data(
    legs: Sequence[Leg], tallies: Sequence[Tally], wanted: Sequence[Wanted], at: Sequence[Situation]
) -> dict[str, Any]:
    """For --json."""
    return {
        "digest": wanted[0].digest,
        "commit": wanted[0].commit or None,
        "environments": [
            {
                "environment": leg.environment,
                "promotesFrom": leg.source,
                "live": each.recorded.live.digest if each.recorded else None,
                "steps": list(leg.course.steps),
                "bakeSeconds": leg.course.bake,
                "alarms": list(leg.alarms),
                "people": list(leg.people),
                "soFar": {str(result): count for result, count in tally.results},
                "usuallyBreaks": [{"why": why, "count": count} for why, count in tally.reasons],
                "checklist": [
                    {
                        "level": str(check.level),
                        "about": check.about,
                        "text": check.text,
                        "do": check.do or None,
                        "link": check.link or None,
                    }
                    for check in checklist(each, image)
                ],
            }
            for leg, tally, each, image in zip(legs, tallies, at, wanted, strict=True)
        ],
    }
