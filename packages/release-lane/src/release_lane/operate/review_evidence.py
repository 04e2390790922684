"""What a review says of the commits between two releases, of what was proven, and of the configuration. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from release_lane.operate.duration import spoken
from release_lane.operate.page import Alert, Block, Section, Text, bullets, code, link, quoted, section
from release_lane.operate.review import Review, Subject
from release_lane.operate.scanning import said_of
from release_lane.record.commit import Commits, Logged
from release_lane.record.digest import short
from release_lane.record.evidence import Proof
from release_lane.record.placement import Release
from release_lane.record.times import epoch

SHOWN = 20
"""Commits that are listed; the others are counted."""


def linked(words: str, sha: str, commits: Commits | None) -> str:
    """A commit as code, with a link to its page where that is known."""
    return link(code(words), commits.page_of(sha)) if commits else code(words)


def commits_section(review: Review) -> Section | None:
    """What lies between the two releases."""
    commits, title = review.subject.commits, "Commits"
    if commits is None:
        return None
    if commits.unknown:
        return section(title, Text(f"**The commits in between are unknown:** {quoted(commits.unknown)}"))
    there = commits.comparison
    lead = (
        Text(f"{link('Compare both', there)} ({code(commits.old[:7])} and {code(commits.new[:7])}).") if there else None
    )
    taken = len(commits.removed)
    removed = Alert(f"**{counted(taken, 'commit')} of the live release {'is' if taken == 1 else 'are'} taken back:**")
    return section(
        title,
        lead,
        bullets(_listed(commits.added, commits)) or Text("None is added."),
        *((removed, bullets(_listed(commits.removed, commits))) if taken else ()),
    )


def counted(number: int, what: str) -> str:
    """`1 commit`, `2 commits`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def _listed(logged: tuple[Logged, ...], commits: Commits) -> Iterator[str]:
    for each in logged[:SHOWN]:
        yield f"{linked(each.sha[:7], each.sha, commits)} {quoted(each.subject)} ({quoted(each.author)})"
    if len(logged) > SHOWN:
        yield f"and {len(logged) - SHOWN} more"


def evidence_section(review: Review) -> Section | None:
    """What the environment before proved of the release, and what neither gate can see."""
    subject, release, proof = review.subject, review.planned.release, review.proof
    assert release is not None
    lines: list[str | tuple[str, tuple[str, ...]]] = []
    there, here = proof.unchecked if proof else (), release.service.asked.unchecked
    if proof:
        lines += _proven(subject, proof, release)
        lines += [
            f"**Not checked there{', and cannot be here' if each in here else ''}:** {quoted(each)}." for each in there
        ]
        lines += _unproven_configuration(subject, proof, release)
    elif subject.source:
        lines.append(f"{subject.source} has **no proof** of this digest.")
    else:
        lines.append("None is needed: this is the first environment of the route.")
    lines += [f"**Cannot be checked here:** {quoted(each)}." for each in here if each not in there]
    lines += [quoted(each) for each in subject.drills]
    lines += _scanned(subject, release)
    if review.was_live:
        lines.append(f"It has been live in {subject.environment} before.")
    if subject.recorded and subject.recorded.left_by_rollback(release.digest):
        live = code(subject.recorded.live.digest)
        lines.append(f"**Going forward again:** users were rolled back from it to {live}.")
    elif subject.digest_only and subject.recorded:
        lines.append(
            f"Requested as a **rollback of the image alone** from {code(subject.recorded.live.digest)}: with the "
            "configuration of now it is a new release."
        )
    elif subject.rollback and subject.recorded:
        lines.append(f"Requested as a **rollback** from {code(subject.recorded.live.digest)}.")
    return section("Evidence", bullets(lines))


def _proven(subject: Subject, proof: Proof, release: Release) -> Iterator[str]:
    commit = f", commit {code(proof.commit)}" if proof.commit else ""
    yield f"**{subject.source}** proved {code(release.digest)}{commit} on {proof.at}: {quoted(proof.smoke)}."
    if proof.checks:
        yield f"Checks that passed there: {', '.join(map(code, proof.checks))}."
    if proof.drilled:
        yield f"Drilled there on {proof.drilled}: users went back from it and forward again, and no request failed."
    if subject.live_there is None:
        return
    if subject.live_there.digest != release.digest:
        yield f"**It is no longer live in {subject.source}**, which runs {code(short(subject.live_there.digest))}."
    elif subject.at and (since := epoch(proof.at)) is not None:
        yield f"It has been live in {subject.source} for {spoken(max(0.0, subject.at - since))}."


def _scanned(subject: Subject, release: Release) -> Iterator[str]:
    """What the registry found in the image."""
    if subject.scan:
        yield said_of(release.digest, subject.scan)
    elif subject.unscanned:
        yield f"**What the registry's scan found is unknown:** {quoted(subject.unscanned)}"


def _unproven_configuration(
    subject: Subject, proof: Proof, release: Release
) -> Iterator[str | tuple[str, tuple[str, ...]]]:
    """The proof is of the image; how the configuration differs from the one it ran with there."""
    here = subject.recorded.history if subject.recorded else ()
    if proof.release_id in ("", release.id) or any(past.id == release.id for past in here):
        return
    what = f"**{subject.source} did not run this configuration:** its proof is of the image"
    ran = next((each for each in reversed(subject.ran_there) if each.id == proof.release_id), None)
    if ran is None:
        yield f"{what}; {subject.source} no longer remembers which configuration it ran with."
        return
    differing = tuple(_settings(ran.service.as_dict(), release.service.as_dict()))
    yield f"{what}, which ran there with different values of:", differing


def configuration_of(review: Review) -> Block | None:
    """How the service's configuration changes with the release; only the names of variables."""
    old, release = review.subject.recorded, review.planned.release
    if old is None or release is None:
        return None
    return bullets(_settings(old.live.service.as_dict(), release.service.as_dict()))


def _settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted({*old, *new}):
        if isinstance(old.get(key), Mapping):
            differing = [name for name in sorted({*old[key], *new[key]}) if old[key].get(name) != new[key].get(name)]
            yield from (f"{key}.{name}: {_verb(name, old[key], new[key])}" for name in differing)
        elif old.get(key) != new.get(key):
            yield f"{key}: {_value(old, key)} -> {_value(new, key)}"


def _value(service: Mapping[str, Any], key: str) -> str:
    return (quoted(str(service[key])) or "none") if key in service else "its default"


def _verb(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    return "added" if name not in old else "removed" if name not in new else "changed"
