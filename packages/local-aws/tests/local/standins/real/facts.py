"""What the real provider says of the types that the stand-ins have, as facts to compare their tables with.

From its own answers: GetMapping (computed, outputs, sets, what its schema says replaces), GetSchema (names, what is
required, secrets), Diffs of an example with another value for each property and without it (what replaces beyond that,
what stays when it is left out), Check and the preview of a create with as little as it takes (defaults).

Asks the provider in the cache of this machine, and keeps what it says:
    PYTHONPATH=packages/local-aws:packages/provider-kit .venv/bin/python -m tests.local.standins.real.facts
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_aws.standins.aws.functions import FUNCTIONS
from local_aws.standins.aws.provider import TYPES
from provider_kit import Props
from pulumi.runtime.proto import provider_pb2
from tests.kit.serving import UNKNOWN_STRING, Client, Refusal, plain
from tests.local.standins.examples import EXAMPLES, MORE_EXAMPLES
from tests.local.standins.real.plugin import binary, running

SET = 7
"""The number of the kind in the bridge's mapping."""
Facts = dict[str, dict[str, Any]]
"""Property path, `healthCheck.interval` -> `{"is": [MARKS], "default": …}`."""
MARKS = ("required", "computed", "stays", "replaces", "set", "output", "secret")


@dataclass(frozen=True)
class Known:
    """By token. Functions: `{"arguments": [...], "secret": [results that are]}`."""

    types: Mapping[str, Facts]
    functions: Mapping[str, Mapping[str, list[str]]]


FILE = Path(__file__).with_name("facts.json")


def kept() -> Known:
    """What the provider said when it was asked last."""
    return Known(**json.loads(FILE.read_text()))


def gather(client: Client) -> Known:
    """For all types and functions of the stand-ins."""
    mapping = json.loads(client.stub.GetMapping(provider_pb2.GetMappingRequest(key="terraform")).data)
    schema = json.loads(client.stub.GetSchema(provider_pb2.GetSchemaRequest()).schema)
    names = {entry["tok"]: name for name, entry in mapping["resources"].items()}
    tokens = sorted(type_.token for type_ in TYPES)
    return Known(
        {token: _type(client, token, mapping, names[token], schema) for token in tokens},
        {token: _function(schema["functions"][token]) for token in sorted(FUNCTIONS)},
    )


def written(known: Known) -> str:
    """FILE: one line for each property."""
    types = ",\n".join(f' "{token}": {_lines(facts)}' for token, facts in known.types.items())
    return f'{{"types": {{\n{types}\n}}, "functions": {_lines(known.functions)}}}\n'


def _lines(values: Mapping[str, Any]) -> str:
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(values[name])}" for name in sorted(values))
    return f"{{\n{lines}\n }}"


def _function(declared: Any) -> dict[str, list[str]]:
    results = declared["outputs"]["properties"]
    return {
        "arguments": sorted((declared.get("inputs") or {}).get("properties") or ()),
        "secret": sorted(name for name, one in results.items() if one.get("secret")),
    }


def _type(client: Client, token: str, mapping: Any, name: str, schema: Any) -> Facts:
    of_terraform, info = mapping["provider"]["resources"][name], mapping["resources"][name].get("fields") or {}
    of_terraform.pop("id", None)
    facts: Facts = dict(_properties(of_terraform, info, Declared.resource(schema, token)))
    for path, default in _defaults(client, token, facts):
        facts[path]["default"] = default
    for given in (asked(token), *(more for of, more in MORE_EXAMPLES if of == token)):
        for path, mark in [*_answers(client, token, given, facts)]:
            _add(facts[path], mark)
    return facts


@dataclass(frozen=True)
class Declared:
    """An object type of the provider's schema."""

    properties: Mapping[str, Any]
    required: frozenset[str]
    types: Mapping[str, Any]

    @classmethod
    def resource(cls, schema: Any, token: str) -> Declared:
        found = schema["resources"][token]
        return cls(found["properties"], frozenset(found.get("requiredInputs") or ()), schema["types"])

    def inside(self, name: str) -> Declared | None:
        """The object type that a property is, or is a list of."""
        declared = self.properties[name]
        found = declared.get("$ref") or (declared.get("items") or {}).get("$ref") or ""
        type_ = self.types.get(str(found).removeprefix("#/types/"))
        return type_ and Declared(type_["properties"], frozenset(type_.get("required") or ()), self.types)


def _properties(
    fields: Mapping[str, Any], info: Mapping[str, Any], declared: Declared
) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in fields.items():
        own = info.get(name) or {}
        spelled = own.get("name") if own.get("name") in declared.properties else _spelled(name, declared.properties)
        if not spelled:
            continue
        yield spelled, {"is": sorted(_marks(field, spelled, declared))}
        fields_inside, inside = (field.get("element") or {}).get("resource"), declared.inside(spelled)
        if fields_inside and inside:
            below = ((own.get("element") or {}).get("fields")) or own.get("fields") or {}
            for path, facts in _properties(fields_inside, below, inside):
                yield f"{spelled}.{path}", facts


def _marks(field: Mapping[str, Any], name: str, declared: Declared) -> Iterator[str]:
    if name in declared.required:
        yield "required"
    if field.get("optional") and field.get("computed"):
        yield "computed"
    if field.get("computed") and not field.get("optional"):
        yield "output"
    if field.get("forceNew"):
        yield "replaces"
    if field["type"] == SET and declared.properties[name].get("type") == "array":
        yield "set"
    if declared.properties[name].get("secret"):
        yield "secret"


def _add(fact: dict[str, Any], mark: str) -> None:
    fact["is"] = sorted({*fact["is"], mark})


def _spelled(name: str, declared: Collection[str]) -> str:
    """`security_groups` -> `securityGroups`; lists get a plural where it is one that is declared."""
    camel = re.sub(r"_(\w)", lambda found: found[1].upper(), name)
    plurals = (camel, f"{camel}s", f"{camel}es", re.sub("y$", "ies", camel), re.sub("x$", "xes", camel))
    return next((one for one in plurals if one in declared), "")


# --- what only a question shows --------------------------------------------------------------------------


def asked(token: str) -> Props:
    """The example of a type, as the program has it."""
    return EXAMPLES[token] | AS_USED.get(token, {})


AS_USED: dict[str, Props] = {
    "aws:lb/loadBalancer:LoadBalancer": {"loadBalancerType": "application"},
    "aws:ec2/vpc:Vpc": {"instanceTenancy": "default"},
    "aws:ec2/natGateway:NatGateway": {"connectivityType": "public"},
    "aws:ecs/service:Service": {"schedulingStrategy": "REPLICA", "deploymentController": {"type": "ECS"}},
}
"""Where the example of a type has another value only because that is not the default: other rules hold for it."""


def _urn(token: str) -> str:
    return f"urn:pulumi:dev::project::{token}::thing"


def check(client: Client, token: str, inputs: Props, olds: Props | None = None) -> tuple[Props, list[str]]:
    """Inputs as the provider completes them, and what is wrong with them."""
    answer = client.check(inputs, olds or {}, urn=_urn(token), randomSeed=b"s" * 32)
    return plain(answer.inputs), [failure.reason for failure in answer.failures]


def _answers(client: Client, token: str, given: Props, facts: Facts) -> Iterator[tuple[str, str]]:
    """(path, mark) of what Diffs of an example say: what replaces, and what stays when it is left out."""
    old, wrong = check(client, token, given)
    assert wrong == [], f"{token}: {wrong}"
    recorded = _state(client, token, old, facts)
    still = set().union(*_diff(client, token, old, recorded, old))
    for steps in _places(given):
        path = _path(steps)
        if path not in facts:
            continue
        _, replaces = _asked_for(client, token, old, recorded, _with(given, steps, _other))
        if replaces - still:
            yield path, "replaces"
        if "required" in facts[path]["is"] or _at(given, steps) in (facts[path].get("default"), False, 0):
            continue
        changed, _ = _asked_for(client, token, old, recorded, _with(given, steps, lambda _: None))
        if changed and not any(_concern(key, steps) for key in changed - still):
            yield path, "stays"


def _state(client: Client, token: str, inputs: Props, facts: Facts) -> Props:
    """What a state holds of it, but for what AWS says."""
    try:
        planned = plain(client.create(inputs, urn=_urn(token), preview=True).properties)
    except Refusal:
        planned = inputs
    return {
        name: _known(value) for name, value in planned.items() if name in facts and "secret" not in facts[name]["is"]
    }


def _known(value: Any) -> Any:
    """Without what a preview does not know."""
    match value:
        case dict():
            return {key: _known(one) for key, one in value.items() if one != UNKNOWN_STRING}
        case list():
            return [_known(one) for one in value if one != UNKNOWN_STRING]
        case _:
            return None if value == UNKNOWN_STRING else value


def _asked_for(client: Client, token: str, old: Props, recorded: Props, given: Props) -> tuple[set[str], set[str]]:
    """Nothing at all where the provider refuses it."""
    try:
        news, wrong = check(client, token, given, old)
        return (set(), set()) if wrong else _diff(client, token, old, recorded, news)
    except Refusal:
        return set(), set()


def _diff(client: Client, token: str, old: Props, recorded: Props, news: Props) -> tuple[set[str], set[str]]:
    """Property paths that differ, with NOTHING among them so that there is always one; and those that replace."""
    place = {"urn": _urn(token), "id": "id-1", "olds": recorded | {"id": "id-1"}, "old_inputs": old, "news": news}
    answer = client.call("Diff", "DiffRequest", **place)
    return {NOTHING, *answer.detailedDiff, *([] if answer.detailedDiff else answer.diffs)}, set(answer.replaces)


NOTHING = "(nothing)"
Steps = tuple[str | int, ...]
"""The way to a value: keys of objects and places in lists."""


def _places(value: Any, before: Steps = ()) -> Iterator[Steps]:
    match value:
        case dict():
            for key, inside in value.items():
                yield (*before, key)
                yield from _places(inside, (*before, key))
        case list():
            for index, inside in enumerate(value):
                yield from _places(inside, (*before, index))


def _path(steps: Steps) -> str:
    return ".".join(step for step in steps if isinstance(step, str))


def _concern(key: str, steps: Steps) -> bool:
    """Whether a path of a Diff, `defaultActions[0].order`, is this place, in it or around it."""
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
    return key.startswith(place) or place.startswith(key)


def _at(value: Any, steps: Steps) -> Any:
    for step in steps:
        value = value[step]
    return value


def _with(value: Any, steps: Steps, change: Callable[[Any], Any]) -> Any:
    """`value` with another value at a place; left out where that is None."""
    if not steps:
        return change(value)
    first, *rest = steps
    if isinstance(value, list):
        return [_with(one, tuple(rest), change) if index == first else one for index, one in enumerate(value)]
    inside = _with(value[first], tuple(rest), change)
    return {
        key: inside if key == first else other for key, other in value.items() if key != first or inside is not None
    }


def _other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case "eu-west-1":
            return "us-west-2"
        case str():
            return OTHER.get(value, f"{value}x")
        case list():
            return [*map(_other, value)]
        case dict():
            return {key: _other(inside) for key, inside in value.items()}
        case _:
            return value


OTHER = {
    "10.0.0.0/16": "10.1.0.0/16",
    "10.0.0.0/24": "10.0.1.0/24",
    "application": "network",
    "default": "dedicated",
    "arm64": "x86_64",
    "REPLICA": "DAEMON",
    "ECS": "EXTERNAL",
    "tcp": "udp",
    "public": "private",
}
"""What may be in the place of what, where not anything may."""


def _defaults(client: Client, token: str, facts: Facts) -> Iterator[tuple[str, Any]]:
    """What a resource gets that was not given: by Check, and by the preview of a create."""
    least = _least(asked(token), facts) | {name: asked(token)[name] for name in NEEDED.get(token, ())}
    given, checked = next(_accepted(client, token, (least, asked(token))))
    yield from _filled_in(given, checked, facts)
    try:
        planned = client.create(checked, urn=_urn(token), preview=True)
    except Refusal:
        return
    yield from _filled_in(given, plain(planned.properties), facts)


NEEDED = {"aws:lb/targetGroup:TargetGroup": ("port", "protocol", "vpcId")}
"""What is required by a rule of its own."""


def _accepted(client: Client, token: str, examples: Iterable[Props]) -> Iterator[tuple[Props, Props]]:
    """Each that the provider does not refuse as a whole, with what it makes of it."""
    for given in examples:
        try:
            yield given, check(client, token, given)[0]
        except Refusal:
            continue


def _least(values: Mapping[str, Any], facts: Facts, within: str = "") -> Props:
    """What is required, and objects, with what is required in them."""
    least: Props = {}
    for name, value in values.items():
        path = f"{within}{name}"
        if path not in facts:
            continue
        match value:
            case dict() if any(other.startswith(f"{path}.") for other in facts):
                least[name] = _least(value, facts, f"{path}.")
            case [dict(), *_]:
                least[name] = [_least(one, facts, f"{path}.") for one in value]
            case _ if "required" in facts[path]["is"]:
                least[name] = value
    return least


def _filled_in(given: Any, filled: Any, facts: Facts, within: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in filled.items():
        path = f"{within}{name}"
        if path not in facts or "secret" in facts[path]["is"] or value == UNKNOWN_STRING:
            continue
        match given.get(name), value:
            case None, None | "" | [] | {} | False | 0:
                pass
            case None, _ if UNKNOWN_STRING not in json.dumps(value) and name not in ("region", "tagsAll", "name"):
                yield path, value
            case dict() as one, dict():
                yield from _filled_in(one, value, facts, f"{path}.")
            case [dict(), *_] as ones, [dict(), *_] if len(ones) == len(value):
                for one, other in zip(ones, value, strict=True):
                    yield from _filled_in(one, other, facts, f"{path}.")


def main() -> None:
    plugin = binary()
    if plugin is None:
        sys.exit("no provider in the cache: `local-aws up --provider real` makes one")
    with running(plugin) as client:
        FILE.write_text(written(gather(client)))


if __name__ == "__main__":
    main()
