"""One resource's lives through one provider, and what was seen on the way, for a comparison of two of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from local_aws.standins.aws.base import AwsResource
from local_aws.standins.schema import Prop, Table, canonical, defaults
from provider_kit import Props
from tests.kit.serving import Client, Refusal
from tests.local.standins.lifecycle.case import Case
from tests.local.standins.lifecycle.engine import Managed
from tests.local.standins.lifecycle.refusing import Refusing
from tests.local.standins.lifecycle.world import World


@dataclass(frozen=True)
class Seen:
    """One step."""

    op: str
    """What the engine did, or `refused`."""
    changed: frozenset[str] = frozenset()
    """The properties that its Diff named."""
    replaces: bool = False
    outputs: Props | None = None
    """As far as the stand-in has them, in a form that is the same for two resources of the same inputs."""
    kept: bool = False
    """Of a refused create: there is something of it in the state."""
    why: str = ""
    """Of a refusal; not compared."""


Course = dict[str, Seen]
"""Step -> what was seen."""


@dataclass(frozen=True)
class Provider:
    """`client`: on the emulator. `refused`: the same, with `door` between it and the emulator."""

    client: Client
    refused: Client
    door: Refusing


@dataclass(frozen=True)
class Place:
    """Where a case lives. `against`: property -> those that it excludes."""

    type_: type[AwsResource]
    world: World
    against: Mapping[str, Any]


Life = Callable[[Case, Provider, Place], Course]


def changes(case: Case, provider: Provider, place: Place) -> Course:
    """Created, refreshed, imported, changed in place and back, changed by hand and put right."""
    walk = begin(case, provider, place)
    walk.up("create", walk.good)
    walk.refresh("refresh")
    walk.up("no change", walk.good)
    walk.unknown("imported", case)
    in_place = case.in_place(place.world)
    for name, value in in_place.items():
        walk.diff(f"ask for another {name}", walk.good | {name: value})
    asked = walk.good
    for step in [dict([one]) for one in in_place.items()] if not case.slow else [in_place]:
        asked = asked | step
        walk.up(f"change {' and '.join(step)}", asked)
    walk.up("back", walk.good)
    walk.refresh("refresh after changes")
    walk.up("no change after changes", walk.good)
    if case.by_hand:
        walk.by_hand(case, place.world)
    walk.destroy()
    return walk.seen


def ends(case: Case, provider: Provider, place: Place) -> Course:
    """Replaced, deleted by hand and made anew, deleted."""
    walk = begin(case, provider, place)
    walk.up("create", walk.good)
    replacing = case.replacing(place.world)
    for name, value in replacing.items():
        walk.diff(f"ask for {name}", _without(walk.good, place.against.get(name, ())) | {name: value})
    name, value = next(iter(replacing.items()))
    walk.up(f"replace by {name}", _without(walk.good, place.against.get(name, ())) | {name: value})
    if name == "region":  # what deletes it by hand knows one region
        walk.up("replace back", walk.good)
    walk.taken_away(case, place.world)
    walk.destroy()
    walk.destroy_again()
    return walk.seen


def half_made(case: Case, provider: Provider, place: Place) -> Course:
    """AWS takes the first call of its create alone; then it is completed, and deleted."""
    walk = begin(case, provider, place)
    walk.half("half made", walk.good, provider)
    kept = bool(walk.one.id)
    walk.seen["half made"] = replace(walk.seen["half made"], kept=kept, outputs=None)
    if kept:
        walk.once_more("completed", walk.good)
        walk.destroy()
    return walk.seen


def half_changed(case: Case, provider: Provider, place: Place) -> Course:
    """AWS takes the first call of an update alone; then it is done again."""
    walk = begin(case, provider, place)
    walk.up("create", walk.good)
    asked = walk.good | case.in_place(place.world)
    if asked != walk.good:
        walk.half("half changed", asked, provider)
        walk.once_more("changed again", asked)
        walk.up("back", walk.good)
    walk.destroy()
    return walk.seen


def after_refresh(case: Case, provider: Provider, place: Place) -> Course:
    """Given a value in place of every default, refreshed, and that left out again."""
    walk = begin(case, provider, place)
    walk.up("create", walk.good)
    others = {name: value for name, value in case.in_place(place.world).items() if name in defaults(place.type_.props)}
    if others:
        walk.up("other than the defaults", walk.good | others)
        walk.refresh("refresh")
        walk.up("left out after a refresh", walk.good)
    walk.destroy()
    return walk.seen


LIVES: tuple[Life, ...] = (changes, ends, half_made, half_changed, after_refresh)


def begin(case: Case, provider: Provider, place: Place) -> Walk:
    return Walk(Managed(provider.client, case.token), place.type_, case.good(place.world), {})


def _without(values: Props, names: Any) -> Props:
    return {name: value for name, value in values.items() if name not in names}


@dataclass
class Walk:
    one: Managed
    type_: type[AwsResource]
    good: Props
    seen: Course

    def step(self, name: str, do: Callable[[], Seen]) -> None:
        """What it shows; a refusal is something seen as well."""
        try:
            self.seen[name] = do()
        except (Refusal, AssertionError) as refused:
            why = refused.message if isinstance(refused, Refusal) else str(refused)
            self.seen[name] = Seen("refused", why=why)

    def up(self, step: str, inputs: Props) -> None:
        self.step(step, lambda: self._up(inputs))

    def _up(self, inputs: Props) -> Seen:
        asked = self._asked(inputs) if self.one.id else Seen("")
        op = self.one.up(inputs)
        return Seen(op, asked.changed, asked.replaces, self.outputs(inputs))

    def half(self, step: str, inputs: Props, provider: Provider) -> None:
        """AWS takes its first change, and refuses all that comes after."""
        self.one.client = provider.refused
        with provider.door.once():
            self.up(step, inputs)
        self.one.client = provider.client

    def once_more(self, step: str, inputs: Props) -> None:
        """Done again, and looked at after that."""
        self.up(step, inputs)
        self.refresh("refresh after that")
        self.up("no change after that", inputs)

    def diff(self, step: str, inputs: Props) -> None:
        self.step(step, lambda: self._asked(inputs))

    def _asked(self, inputs: Props) -> Seen:
        answer = self.one.diff(self.one.check(inputs))
        named = {re.split(r"[.\[]", path)[0] for path in answer.diffs}
        return Seen("diff", frozenset(named & self.type_.props.keys()), bool(answer.replaces))

    def refresh(self, step: str) -> None:
        self.step(step, self._refresh)

    def _refresh(self) -> Seen:
        gone = self.one.refresh() == "gone"
        return Seen("gone" if gone else "found", outputs=None if gone else self.outputs(self.good))

    def unknown(self, step: str, case: Case) -> None:
        """What is there, imported, and compared with the inputs that it was made of."""

        def imported() -> Seen:
            other = Managed(self.one.client, case.token)
            other.adopt(case.import_id(self.one))
            return Walk(other, self.type_, self.good, {})._asked(self.good)

        self.step(step, imported)

    def by_hand(self, case: Case, world: World) -> None:
        assert case.by_hand is not None
        name, change = case.by_hand
        change(world, self.one)
        self.refresh(f"{name} by hand")
        self.up(f"{name} put right", self.good)

    def taken_away(self, case: Case, world: World) -> None:
        case.take_away(world, self.one)
        self.refresh("taken away")
        self.up("made anew", self.good)

    def destroy(self) -> None:
        self._destroy("destroy", self.one)

    def destroy_again(self) -> None:
        """As where somebody deleted it, and no refresh has noticed."""
        self._destroy("destroy again", self.last)

    def _destroy(self, step: str, one: Managed) -> None:
        self.last = replace(one)
        self.step(step, lambda: Seen("done" if one.destroy() is None else ""))

    def outputs(self, inputs: Props) -> Props:
        found = dict(_outputs(self.type_, self.one.outputs))
        given = dict(_outputs(self.type_, inputs))
        return {name: AS_GIVEN if given.get(name) == value else value for name, value in found.items()}


AS_GIVEN = "as given"


def _outputs(type_: type[AwsResource], outputs: Props) -> Iterator[tuple[str, Any]]:
    table = {**type_.props, **dict.fromkeys((*type_.outputs, "tagsAll"), Prop())}
    for name, prop in table.items():
        value = _shape(prop, outputs.get(name))
        if value not in EMPTY:
            yield name, value


EMPTY = (None, "", [], {}, False, 0)
MADE_UP = re.compile(
    r"(?<=-)[0-9a-f]{6}$|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[a-z]{10}(?=\.acm-validations)"
    r"|\b[A-Z0-9]{16,}\b|[0-9a-f]{8,}|\d+"  # in this order: such a name may begin with digits alone
)


def _shape(prop: Prop, value: Any) -> Any:
    """Without made-up ids and numbers, without what is empty, in one order."""
    match value:
        case str() if value.isdigit():
            return float(value)  # some numbers are text to the provider
        case str():
            return MADE_UP.sub("#", _document(value) if prop.json else value)
        case dict():
            return _document(value) if prop.json else _object(prop.fields, value)
        case list():
            items = [_shape(prop, item) for item in value]
            return sorted(items, key=_spelled) if prop.unordered or not prop.fields else items
        case _:
            return value


def _spelled(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _object(fields: Table | None, value: Props) -> Props:
    shaped = {name: _shape((fields or {}).get(name, Prop()), one) for name, one in value.items()}
    return {name: one for name, one in shaped.items() if one not in EMPTY and (fields is None or name in fields)}


def _document(document: Any) -> str:
    try:
        return canonical(document)
    except ValueError:
        return str(document)


def differences(real: Course, here: Course) -> Iterator[tuple[str, str, str]]:
    """(step, aspect, in words). Aspects: `op`, `kept`, `changed`, `replaces`, an output's name."""
    for step in dict.fromkeys((*real, *here)):
        theirs, ours = real.get(step, NOT_DONE), here.get(step, NOT_DONE)
        if theirs.op != ours.op:
            yield step, "op", f"{theirs.op} {theirs.why}".strip() + f" | here: {ours.op} {ours.why}".rstrip()
            continue
        if theirs.kept != ours.kept:
            yield step, "kept", f"{theirs.kept} {theirs.why} | here: {ours.kept} {ours.why}"
        if theirs.changed != ours.changed:
            yield step, "changed", f"{sorted(theirs.changed)} | here: {sorted(ours.changed)}"
        if theirs.replaces != ours.replaces:
            yield step, "replaces", f"{theirs.replaces} | here: {ours.replaces}"
        a, b = theirs.outputs or {}, ours.outputs or {}
        for name in sorted(a.keys() | b.keys()):
            if a.get(name) != b.get(name):
                yield step, name, f"{a.get(name)} | here: {b.get(name)}"


NOT_DONE = Seen("not done")
