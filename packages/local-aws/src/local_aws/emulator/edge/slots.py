"""Which target sits in which server slot of its backend. Pure.

A target keeps its slot as long as it is registered or drains, so that commands mean the same server in an old process
that still finishes its connections as in the current one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from local_aws.emulator.edge.render import backend
from local_aws.emulator.elbv2.model import Address, State

BLOCK = 64  # slots are added by as many at once; more need a reload


@dataclass(frozen=True)
class Slot:
    number: int
    draining: bool


@dataclass(frozen=True)
class Backend:
    size: int
    slots: Mapping[Address, Slot] = field(default_factory=dict)


Table = Mapping[str, Backend]


def seated(state: State, before: Table) -> dict[str, Backend]:
    """A place for every target of every target group in use; those of `before` stay where they are."""
    table = {}
    for group in state.used_groups():
        old = before.get(backend(group), Backend(BLOCK))
        wanted = {one.address: one.draining_until is not None for one in state.targets.get(group.arn, ())}
        table[backend(group)] = _seat(old, wanted)
    return table


def _seat(old: Backend, wanted: Mapping[Address, bool]) -> Backend:
    kept = {at: replace(slot, draining=wanted[at]) for at, slot in old.slots.items() if at in wanted}
    taken = {slot.number for slot in kept.values()}
    numbers = free(taken)
    for address, draining in wanted.items():
        if address not in kept:
            kept[address] = Slot(next(numbers), draining)
    needed = max((slot.number for slot in kept.values()), default=0)
    size = max(old.size, -(-needed // BLOCK) * BLOCK)
    return Backend(size, kept)


def free(taken: set[int]) -> Iterator[int]:
    number = 0
    while True:
        number += 1
        if number not in taken:
            yield number


# ---------------------------------------------------------------- commands


def changes(before: Table, after: Table) -> list[str]:
    """Commands that bring running servers from one table to the other; both have the same backends and sizes."""
    commands: list[str] = []
    for name, backend_after in after.items():
        old = before.get(name, Backend(0)).slots
        for address, slot in old.items():
            if address not in backend_after.slots:
                commands += release(name, slot.number)
        for address, slot in backend_after.slots.items():
            was = old.get(address)
            match (was is None or was.draining, slot.draining):
                case (True, False):
                    commands += introduce(name, slot.number, address)
                case (False, True):
                    commands += drain(name, slot.number)
                case _:
                    pass  # as it was; or it drains already and its slot has been out of traffic all along
    return commands


def introduce(name: str, number: int, address: Address) -> list[str]:
    """Checked from now on, but without traffic until one check passed.

    The order matters: leaving maintenance by way of `drain`, a server is never open to traffic; `health stopping` then
    holds traffic back by itself, and ends with the first check that passes or with `fall` that fail.
    """
    ip, port = address
    server, twin = f"{name}/s{number}", f"{name}/open{number}"
    return [
        f"set server {server} addr {ip} port {port}",
        f"set server {server} state drain",
        f"set server {server} health stopping",
        f"set server {server} state ready",
        f"set server {twin} addr {ip} port {port}",
        f"set server {twin} state ready",
    ]


def reintroduce_unhealthy(name: str, number: int) -> list[str]:
    """After a reload: it stays unhealthy until it passed as many checks as the threshold says."""
    server = f"{name}/s{number}"
    return [
        f"set server {server} state drain",
        f"set server {server} health down",
        f"set server {server} state ready",
    ]


def reintroduce_healthy(name: str, number: int) -> list[str]:
    """After a reload: HAProxy would call it down after one failed check; healthy means the whole threshold."""
    return [f"set server {name}/s{number} health up"]


def drain(name: str, number: int) -> list[str]:
    return [f"set server {name}/{kind}{number} state drain" for kind in ("s", "open")]


def release(name: str, number: int) -> list[str]:
    """No session is cut: what is still under way on the old address may finish."""
    return [f"set server {name}/{kind}{number} state maint" for kind in ("s", "open")]
