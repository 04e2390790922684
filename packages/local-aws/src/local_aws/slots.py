"""Slots: how several local clouds share the addresses of one machine.

    slot N   the emulator at 127.0.0.1:(4566 + N), load balancers at 127.0.(10 + N).1 and following

A cloud takes the first free slot whose addresses can be opened, so the only cloud of a machine has slot 0. It notes the
slot in its own folder, and in a claim that all users of the machine can read. It holds the slot until `down`; after
`down --keep-state` it still does, because URLs in the kept state name its addresses. A claim whose folder no longer
says the same holds nothing, so a removed project leaves no slot taken.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from local_aws import processes
from local_aws.errors import LocalError, NotAllowed
from local_aws.places import FIRST_PORT, SLOTS, Places
from local_aws.toolchain.cache import Say

Examine = Callable[[Places], None]
"""Raises LocalError if an address of a slot cannot be opened; NotAllowed if none of any slot could."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a cloud says of its slot. `boot` is the machine's boot in which it was brought up, "" while it is down."""

    cloud: str
    slot: int
    runtime: str
    boot: str = ""

    @property
    def up(self) -> bool:
        """Brought up since the machine started, and not brought down since."""
        return self.boot == boot_id()


def take(places: Places, examine: Examine, say: Say) -> Places:
    """The same places in the slot that they hold from now on, claimed as up.

    Raises LocalError if the slot of a kept state is held by another cloud, or no slot can be had.
    """
    with alone(places.shared):
        _prune(places.shared)
        taken = prospect(places, examine)
        _write(places.slot_file, f"{taken.slot}\n")
        _claim(taken, boot_id())
    say(f"{taken.slot}: emulator at {taken.endpoint}, load balancers at {taken.balancers}.1 and following")
    return taken


def prospect(places: Places, examine: Examine) -> Places:
    """The same places in the slot that `take` would take now; nothing is claimed. Raises as `take` does."""
    others = others_of(places)
    if places.slot_file.exists() and places.emulator.exists():
        return _kept(places.held(), others)
    return _free(places, others, examine)


def let_go(places: Places, *, keep: bool) -> None:
    """Down: the slot is free again or, with `keep`, still reserved. The caller holds `alone`."""
    if keep and places.slot_file.exists():
        _claim(places.held(), "")
        return
    places.slot_file.unlink(missing_ok=True)
    with suppress(OSError):
        _claim_file(places).unlink(missing_ok=True)


def others_of(places: Places) -> list[Claim]:
    """What other clouds hold."""
    return [claim for claim in claims(places.shared) if claim.cloud != places.cloud_id]


def choose(slots: Sequence[int], others: Sequence[Claim], problem: Callable[[int], LocalError | None]) -> int:
    """The first unclaimed slot without a problem. Raises the first slot's problem if there is none."""
    held = {claim.slot for claim in others}
    problems: list[LocalError] = []
    for slot in slots:
        if slot in held:
            continue
        found = problem(slot)
        if found is None:
            return slot
        if isinstance(found, NotAllowed):
            raise found
        problems.append(found)
    raise (
        problems[0]
        if problems
        else LocalError(
            f"All {len(slots)} slots for local clouds are held.",
            why="by " + ", ".join(sorted(claim.runtime for claim in others)[:5]) + " …",
            next_step="`local-aws down` in the projects that do not need theirs",
        )
    )


def _free(places: Places, others: Sequence[Claim], examine: Examine) -> Places:
    def problem(slot: int) -> LocalError | None:
        try:
            examine(replace(places, slot=slot))
        except LocalError as error:
            return error
        return None

    return replace(places, slot=choose(range(SLOTS), others, problem))


def _kept(places: Places, others: Sequence[Claim]) -> Places:
    for other in others:
        if other.slot == places.slot:
            raise LocalError(
                f"Slot {places.slot} is held by the local cloud of {other.runtime}.",
                why=f"the state kept in {places.runtime} names addresses of that slot ({places.balancers}.x)",
                next_step=f"cd {Path(other.runtime).parent} && local-aws down; or give up the kept state here:"
                " local-aws down, then up",
            )
    return places


# --- claims


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """For as long as it is held, no other process of this machine claims a slot, or starts or stops dockerd."""
    _make(folder)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _make(folder: Path) -> None:
    """Every user may put files there, and remove only their own."""
    with suppress(FileExistsError):
        folder.mkdir(parents=True)
        folder.chmod(0o1777)
    if not stat.S_ISDIR(folder.lstat().st_mode) or not os.access(folder, os.W_OK):
        raise LocalError(
            f"{folder} is no folder that this user can write to.",
            why="the local clouds of a machine tell each other there which addresses they use",
            next_step=f"rm -r {folder}",
        )


def claims(folder: Path) -> list[Claim]:
    """All that still hold, by slot."""
    found = (_read(path) for path in folder.glob("*.json"))
    return sorted((claim for claim in found if claim and _holds(claim)), key=lambda claim: claim.slot)


def _prune(folder: Path) -> None:
    """Remove claims that hold nothing. Another user may be unable to see that they do not.

    A claim stays while a process listens at its emulator's port: its folder may exist in a container.
    """
    for path in folder.glob("*.json"):
        claim = _read(path)
        if claim is None or not (_holds(claim) or processes.refusal_to_bind("127.0.0.1", FIRST_PORT + claim.slot)):
            with suppress(OSError):
                path.unlink()


def _read(path: Path) -> Claim | None:
    try:
        claim = Claim(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return claim if isinstance(claim.slot, int) and isinstance(claim.runtime, str) else None


def _holds(claim: Claim) -> bool:
    """Does the cloud's own folder say the same? A claim whose folder this user cannot read is believed."""
    try:
        return (Path(claim.runtime) / "slot").read_text().strip() == str(claim.slot)
    except PermissionError:
        return True
    except OSError:
        return False


def _claim(places: Places, boot: str) -> None:
    claim = Claim(cloud=places.cloud_id, slot=places.slot, runtime=str(places.runtime), boot=boot)
    _write(_claim_file(places), json.dumps(asdict(claim)))


def _claim_file(places: Places) -> Path:
    return places.shared / f"{places.cloud_id}.json"


def _write(path: Path, text: str) -> None:
    """Completely or not at all, and never through a link that another user made."""
    handle, draft = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    os.chmod(draft, 0o644)
    os.replace(draft, path)


def boot_id() -> str:
    """Changes with each start of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
