"""What all types of the stand-in share: a table of properties, and make, settle, find, change, remove."""

from __future__ import annotations

import hashlib
import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from provider_kit import (
    UNKNOWN,
    Change,
    Context,
    PartialFailure,
    Props,
    Resource,
    State,
    UserError,
    has_unknown,
    structural,
)
from provider_kit.errors import readable
from typing_extensions import override

from local_aws.standins.aws.door import Door
from local_aws.standins.drift import recorded, seen_through
from local_aws.standins.schema import Prop, Source, Table, filled, missing, problems

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

    def is_made_up(self, ctx: Context, name: object) -> bool:
        """Whether `make` may have made this name for this resource."""
        return isinstance(name, str) and re.fullmatch(re.escape(ctx.name) + "-[0-9a-f]{7}", name) is not None


class AwsResource(Resource):
    """A type of pulumi-aws. Subclasses declare `props` and say how each step calls the API.

    A create is `make` (the one call that brings it into being), `settle` (what has to follow: attributes,
    tags) and `ready` (what has to be waited for). When one of the latter fails, the resource is kept in the
    state as partly made, with its id; the next update makes it what it should be.
    """

    props: ClassVar[Table]
    """All properties that may be given, `tags` and `region` included."""
    outputs: ClassVar[frozenset[str]] = frozenset()
    """What is there to read only. `tagsAll` and the id go without saying."""
    not_given: ClassVar[frozenset[str]] = frozenset()
    """Outputs of the provider that are not there: they say something of what these tables do not hold."""
    source: ClassVar[Source]
    """Where the facts in `props` and `outputs` are from."""
    service: ClassVar[str]
    """The API's name for botocore."""
    autoname: ClassVar[AutoName | None] = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "props" in cls.__dict__:
            cls.replace_on = frozenset(name for name, prop in cls.props.items() if prop.replace)
            cls.computed = cls.outputs | {name for name, prop in cls.props.items() if prop.computed}

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

    def ready(self, ctx: Context, api: Any, id: str, new: Props) -> None:
        """Wait until AWS has it ready, where that takes a while."""

    @abstractmethod
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        """Its live properties, inputs and outputs alike; None when it is gone.

        `known` is what was recorded; empty on an import. A property `id` is the id to record after an
        import by another name. Every property that is not `unread` has to be there if it is set.
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
        return values, [*missing(self.props, values), *self.wrong(values)]

    @override
    def diff(self, ctx: Context, old: State, inputs: Props, ignore: Sequence[str]) -> list[Change]:
        before = recorded(self.props, old.inputs, old.outputs, inputs)
        return structural(before, inputs, self.replace_on, ignore)

    @override
    def deletes_first(self, ctx: Context, old: State, inputs: Props) -> bool:
        # as in pulumi-aws: two of one given name cannot be there at once
        named = self.autoname is not None and not self.autoname.is_made_up(ctx, inputs.get("name"))
        return named or self.delete_before_replace

    @override
    def preview(self, ctx: Context, inputs: Props, old: State | None) -> Props:
        # what was half made has no outputs yet, and what depends on it must not take that for none
        unknown = dict.fromkeys(self.outputs, UNKNOWN)
        return unknown | super().preview(ctx, inputs, old) | self._tags_all(inputs)

    @override
    def create(self, ctx: Context, inputs: Props) -> tuple[str, Props]:
        api = self.api(inputs)
        id = self.make(api, inputs)
        try:
            self.settle(api, id, inputs)
            self.ready(ctx, api, id, inputs)
            return id, self._found(api, id, inputs)
        except Exception as error:
            why = readable(error) or str(error)
            so_far = self._so_far(api, id, inputs)
            raise PartialFailure(f"{self.token} {id} was created, but: {why}", id, so_far) from error

    def _so_far(self, api: Any, id: str, new: Props) -> Props:
        """The outputs of what is half made, as far as they can be read."""
        try:
            live = self.find(api, id, new) or {}
        except Exception:
            return {}
        return {name: live[name] for name in self.outputs if live.get(name) is not None}

    @override
    def update(self, ctx: Context, old: State, inputs: Props) -> Props:
        api = self.api(inputs)
        known = old.outputs | inputs
        before = recorded(self.props, old.inputs, old.outputs, inputs)
        if not structural(before, inputs):
            # the engine knows that it was only half made, so what is recorded is what it should have become
            live = self.find(api, old.id, known) or {}
            known |= {name: live[name] for name in self.outputs if name in live}
            found = {name: (inputs if prop.unread else live).get(name) for name, prop in self.props.items()}
            before = recorded(self.props, found, {}, inputs)
        self._retag(api, old.id, known, before, inputs)
        self.change(api, old.id, before, inputs)
        self.ready(ctx, api, old.id, inputs)
        return self._found(api, old.id, known)

    @override
    def read(self, ctx: Context, id: str, props: Props, inputs: Props) -> tuple[Props, Props] | None:
        live = self.find(self.api(props), id, props)
        if live is None:
            return None
        if "region" in self.props:
            live = {"region": props.get("region") or self.door.region} | live
        live |= self._tags_all(live)
        if inputs:
            return props | live, seen_through(self.props, inputs, live)
        return props | live, filled(self.props, self.imported(seen_through(self.props, {}, live)))

    @override
    def delete(self, ctx: Context, state: State) -> None:
        self.remove(ctx, self.api(state.outputs), state.id, state.outputs)

    def imported(self, inputs: Props) -> Props:
        """The inputs that a program would give for what an import found."""
        return inputs

    # --- helpers -------------------------------------------------------------------------------------

    def api(self, values: Props) -> Any:
        """The client for the region that the resource is in."""
        return self.door.client(self.service, values.get("region"))

    def _found(self, api: Any, id: str, known: Props) -> Props:
        live = self.find(api, id, known)
        if live is None:
            raise UserError(f"{self.token} {id} is not there any more")
        live.pop("id", None)
        return live | self._tags_all(live)

    def _retag(self, api: Any, id: str, known: Props, old: Props, new: Props) -> None:
        before, after = old.get("tags") or {}, new.get("tags") or {}
        put = {key: value for key, value in sorted(after.items()) if before.get(key) != value}
        drop = sorted(before.keys() - after.keys())
        if put or drop:
            self.retag(api, id, known, put, drop)

    def _tags_all(self, values: Props) -> Props:
        if "tags" not in self.props:
            return {}
        tags = values.get("tags")
        return {"tagsAll": {} if tags is None else tags}


def rfc3339(time: datetime | None) -> str:
    """A time as the provider spells it; empty where there is none."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else ""


class TaggedByArn(AwsResource):
    """RDS and ElastiCache tag everything alike."""

    @override
    def retag(self, api: Any, id: str, known: Props, put: dict[str, str], drop: list[str]) -> None:
        if put:
            api.add_tags_to_resource(ResourceName=known["arn"], Tags=tag_list(put))
        if drop:
            api.remove_tags_from_resource(ResourceName=known["arn"], TagKeys=drop)


def tag_list(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    """`{"team": "a"}` -> `[{"Key": "team", "Value": "a"}]`, the form of most APIs."""
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]


def tags_at_creation(new: Props) -> dict[str, Any]:
    """The argument of a create, where there are any."""
    return {"Tags": tag_list(new["tags"])} if new.get("tags") else {}


def tag_map(tags: Sequence[Mapping[str, str]] | None, key: str = "Key", value: str = "Value") -> dict[str, str]:
    """The inverse of `tag_list`, without AWS's own tags."""
    return {tag[key]: tag[value] for tag in tags or () if not tag[key].startswith("aws:")}
