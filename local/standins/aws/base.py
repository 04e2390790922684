"""What all types of the stand-in share: a table of properties, and make, settle, find, change, remove."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from typing_extensions import override

from gates.kit import Change, Context, PartialFailure, Props, Resource, State, UserError, has_unknown, structural
from gates.kit.errors import readable
from local.standins.aws.door import Door
from local.standins.schema import Prop, Table, filled, problems, seen_through

TAGS: Final = {"tags": Prop()}
REGION: Final = {"region": Prop(replace=True)}


@dataclass(frozen=True)
class AutoName:
    """A name made up when none is given: the resource's name and seven characters from the engine's seed."""

    longest: int

    def make(self, ctx: Context) -> str:
        name = f"{ctx.name}-{hashlib.sha256(ctx.random_seed).hexdigest()[:7]}"
        if len(name) > self.longest:
            raise UserError(f"the name {name!r} is longer than {self.longest} characters: give it a name")
        return name


class AwsResource(Resource):
    """A type of pulumi-aws. Subclasses declare `props` and say how each step calls the API.

    A create is `make` (the one call that brings it into being) and `settle` (what has to follow: attributes,
    tags). When `settle` fails, the resource is kept in the state as partly made, with its id.
    """

    props: ClassVar[Table]
    """All properties that may be given, `tags` and `region` included."""
    service: ClassVar[str]
    """The API's name for botocore."""
    autoname: ClassVar[AutoName | None] = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "props" in cls.__dict__:
            cls.replace_on = frozenset(name for name, prop in cls.props.items() if prop.replace)

    def __init__(self, door: Door) -> None:
        self.door = door

    # --- what a type has to say ----------------------------------------------------------------------

    @abstractmethod
    def make(self, api: Any, new: Props) -> str:
        """Bring it into being; returns its id."""

    def wrong(self, values: Props) -> Iterator[tuple[str, str]]:
        """(property, message) of each mistake that the table alone does not show. May see UNKNOWN."""
        del values
        yield from ()

    def settle(self, api: Any, id: str, new: Props) -> None:
        """What has to follow a `make`."""

    @abstractmethod
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        """Its live properties, inputs and outputs alike; None when it is gone.

        `known` is what was recorded; empty on an import. A property `id` is the id to record after an
        import by another name.
        """

    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        """Update it in place, from the inputs `old` to `new`. Tags have been seen to."""

    @abstractmethod
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        """Delete it; already gone is success."""

    def retag(self, api: Any, id: str, known: Props, put: dict[str, str], drop: list[str]) -> None:
        """Set the tags `put` and take the tags `drop` away."""
        raise NotImplementedError(f"{self.token} has no tags")

    # --- the engine's requests -----------------------------------------------------------------------

    @override
    def check(self, ctx: Context, inputs: Props, old: Props | None) -> tuple[Props, list[tuple[str, str]]]:
        wrong = list(problems(self.props, inputs, "pulumi-aws"))
        if wrong:
            return inputs, wrong
        values = filled(self.props, inputs)
        if self.autoname is not None and "name" not in values:
            values["name"] = (old or {}).get("name") or self.autoname.make(ctx)
        if "region" in self.props:
            values.setdefault("region", self.door.region)
        if "tags" in self.props and self.door.default_tags and not has_unknown(values.get("tags")):
            values["tags"] = self.door.default_tags | (values.get("tags") or {})
        return values, list(self.wrong(values))

    @override
    def diff(self, ctx: Context, old: State, inputs: Props, ignore: Sequence[str]) -> list[Change]:
        return structural(old.inputs, inputs, self.replace_on, ignore)

    @override
    def preview(self, ctx: Context, inputs: Props, old: State | None) -> Props:
        return super().preview(ctx, inputs, old) | self._tags_all(inputs)

    @override
    def create(self, ctx: Context, inputs: Props) -> tuple[str, Props]:
        api = self.api(inputs)
        id = self.make(api, inputs)
        try:
            self.settle(api, id, inputs)
            return id, self._found(api, id, inputs)
        except Exception as error:
            why = readable(error) or str(error)
            raise PartialFailure(f"{self.token} {id} was created, but: {why}", id, {}) from error

    @override
    def update(self, ctx: Context, old: State, inputs: Props) -> Props:
        api = self.api(inputs)
        known = old.outputs | inputs
        self._retag(api, old.id, known, old.inputs, inputs)
        self.change(api, old.id, old.inputs, inputs)
        return self._found(api, old.id, known)

    @override
    def read(self, ctx: Context, id: str, props: Props, inputs: Props) -> tuple[Props, Props] | None:
        live = self.find(self.api(props), id, props)
        if live is None:
            return None
        if "region" in self.props:
            live = {"region": props.get("region") or self.door.region} | live
        live |= self._tags_all(live)
        return props | live, filled_for_import(self.props, seen_through(self.props, inputs, live), inputs)

    @override
    def delete(self, ctx: Context, state: State) -> None:
        self.remove(ctx, self.api(state.outputs), state.id, state.outputs)

    # --- helpers -------------------------------------------------------------------------------------

    def api(self, values: Props) -> Any:
        """The client for the region that the resource is in."""
        return self.door.client(self.service, values.get("region"))

    def _found(self, api: Any, id: str, known: Props) -> Props:
        live = self.find(api, id, known)
        if live is None:
            raise UserError(f"{self.token} {id} is not there any more")
        live.pop("id", None)
        return live | self._tags_all(known)

    def _retag(self, api: Any, id: str, known: Props, old: Props, new: Props) -> None:
        before, after = old.get("tags") or {}, new.get("tags") or {}
        put = {key: value for key, value in sorted(after.items()) if before.get(key) != value}
        drop = sorted(before.keys() - after.keys())
        if put or drop:
            self.retag(api, id, known, put, drop)

    def _tags_all(self, values: Props) -> Props:
        return {"tagsAll": values.get("tags") or {}} if "tags" in self.props else {}


def filled_for_import(table: Table, values: Props, inputs: Props) -> Props:
    """On an import the defaults, too, as a `check` of the same program would give them."""
    return values if inputs else filled(table, values)


def tag_list(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    """`{"team": "a"}` -> `[{"Key": "team", "Value": "a"}]`, the form of most APIs."""
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]


def tag_map(tags: Sequence[Mapping[str, str]] | None, key: str = "Key", value: str = "Value") -> dict[str, str]:
    """The inverse of `tag_list`, without AWS's own tags."""
    return {tag[key]: tag[value] for tag in tags or () if not tag[key].startswith("aws:")}
