"""Release metrics as a page. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from release_lane.operate.duration import spoken
from release_lane.operate.metrics import DAY, SOURCE, WEEK, Metrics, Share, Spread, Week
from release_lane.operate.page import Alert, Page, Plot, Plots, Point, Section, Table, Text, harmless, link, quoted
from release_lane.record.times import day

NONE = "none"


def metrics_page(project: str, measured: Sequence[Metrics], unsound: str = "") -> Page:
    """All figures in one table, an environment a column, and for each environment a plot of its weeks. `unsound`: that
    the ledger which they are counted from is not intact."""
    alert = [Alert(f"**Ledger**: {quoted(unsound)}")] if unsound else []
    return Page(
        f"Release metrics: {harmless(project)}",
        (
            Section("", (*alert, Text(_period(measured)), figures(measured))),
            *(Section(f"{harmless(each.environment)}, week by week", (plots(each),)) for each in measured),
            Section("What the figures mean", (Text(DEFINED), definitions())),
        ),
    )


def _period(measured: Sequence[Metrics]) -> str:
    since, until = min(each.since for each in measured), max(each.until for each in measured)
    return f"From the ledger: {day(since)} to {day(until)} (UTC)."


def figures(measured: Sequence[Metrics]) -> Table:
    """A row for each figure."""
    head = ("", *(quoted(each.environment) for each in measured))
    return Table(head, tuple((name, *(said(each) for each in measured)) for name, said, _ in FIGURES))


def plots(of: Metrics) -> Plots:
    """Releases and lead times of each week."""
    return Plots(
        (
            Plot(
                "Releases that users met; dashed: those that failed", tuple(map(_releases, of.weeks)), _ends(of.weeks)
            ),
            Plot("Lead time, median", tuple(map(_lead_time, of.weeks)), _ends(of.weeks)),
        )
    )


def _ends(weeks: Sequence[Week]) -> tuple[str, str]:
    return (day(weeks[0].begins), day(weeks[-1].begins + WEEK)) if weeks else ("", "")


def _days(week: Week) -> str:
    """The first and the last day: a week ends when the period does, in the middle of a day."""
    return f"{day(week.begins)} to {day(week.begins + WEEK)}"


def _releases(week: Week) -> Point:
    failed = f", {week.failed} failed" if week.failed else ""
    short = str(week.released or "")
    return Point(_days(week), week.released, f"{week.released}{failed}", week.failed, short)


def _lead_time(week: Week) -> Point:
    if week.lead is None:
        return Point(_days(week), 0, NONE)
    return Point(_days(week), week.lead, long(week.lead), short=_short(week.lead))


def _short(seconds: float) -> str:
    """`3 d`, `4 h`, `5 min`, `24 s`."""
    for unit, size in (("d", DAY), ("h", 3600.0)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


# ---- Each figure in words


def _deployments(of: Metrics) -> str:
    return f"{of.deployments} ({of.a_week:.1f} a week)"


def _lead(of: Metrics) -> str:
    return spread(of.lead) + (f"; {of.undated} of a commit that git does not know here" if of.undated else "")


def _failures(of: Metrics) -> str:
    return share(of.failures)


def _restore(of: Metrics) -> str:
    return spread(of.restore) + (f"; {of.unrestored} not restored so far" if of.unrestored else "")


def _overrides(of: Metrics) -> str:
    return ", ".join(f"{quoted(name)} {count}" for name, count in of.overrides.items()) or NONE


def _holds(of: Metrics) -> str:
    return (str(of.held) if of.held else NONE) + (f"; **one stands: {quoted(of.hold)}**" if of.hold else "")


def _rollbacks(of: Metrics) -> str:
    return share(of.rollbacks) + (f"; {spread(of.rollback)}" if of.rollback else "")


FIGURES: tuple[tuple[str, Callable[[Metrics], str], str], ...] = (
    ("Deployments", _deployments, "releases that went live; a rollback is none"),
    ("Lead time", _lead, "from the time of the commit to its release being live there"),
    (
        "Change failures",
        _failures,
        "of the releases that users met: those whose traffic was rolled back, or after which a rollback or a hotfix "
        "came next",
    ),
    ("Time to restore", _restore, "from users meeting such a release to the end of what restored them"),
    (
        "Stopped in time",
        lambda of: str(of.stopped),
        "releases that were refused or failed before users met them; a missing or void approval stopped none",
    ),
    ("From a pipeline", lambda of: share(of.pipeline), "of all changes that users met: those that ran in CI"),
    ("Plain updates", lambda of: share(of.plain), "of the same: those by `pulumi up`, past the command"),
    ("Holds", _holds, "deployments that began with a hold; its end is no further deployment, and no rollback"),
    ("Overrides", _overrides, "how often a rule was overridden on request"),
    ("Hotfixes", lambda of: spread(of.hotfixes), "from the beginning of the update of a hotfix to its end"),
    (
        "Rollbacks",
        _rollbacks,
        "of those begun: the ones that ended well, and from their beginning to their end; `heal` and `recover` are no "
        "rollbacks",
    ),
)
"""Name, figure, definition."""

DEFINED = (
    f"The first four are those of {link('DORA', SOURCE)}. The ledger is no incident tracker: what users noticed, and "
    "no rollback, abort or hotfix answered, is in none of them. Durations are the "
    "median and the 90th percentile, by nearest rank."
)


def definitions() -> Table:
    """What each figure is."""
    return Table(("Figure", "What it is"), tuple((name, meaning) for name, _, meaning in FIGURES))


def share(of: Share) -> str:
    """`2 of 8 (25 %)`."""
    return f"{of.part} of {of.of} ({100 * of.part / of.of:.0f} %)" if of.of else NONE


def spread(of: Spread | None) -> str:
    """`median 3 h, p90 2.0 days (12)`; one alone as it is."""
    if of is None:
        return NONE
    return long(of.median) if of.count == 1 else f"median {long(of.median)}, p90 {long(of.ninety)} ({of.count})"


def long(seconds: float) -> str:
    """Days where it takes any."""
    return f"{seconds / DAY:.1f} days" if seconds >= 2 * DAY else spoken(seconds)
