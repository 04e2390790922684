"""Whatever a stack file says: nothing that live users stand on is replaced or deleted, or it is refused.

Settings are found in the settings' own model and their values in the annotated example, resources in what the program
registers, and what replaces a resource in the stand-ins' tables. So a new one of any of them is in here by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from local_aws.standins.aws.provider import TYPES
from pydantic import BaseModel
from release_lane.decide.foundations import SECRET_STORES, Egress
from release_lane.decide.stores import COMPONENT, Kind
from release_lane.errors import Refused, UsageError
from release_lane.program.artifacts import build_artifacts
from release_lane.record.decisions import DecisionKind
from release_lane.record.placement import Colour, all_on
from release_lane.record.records import Recorded
from release_lane.record.seal import bound
from release_lane.settings.artifacts import ArtifactsSettings
from release_lane.settings.model import EnvironmentSettings
from tests.program.mocks import (
    ACCOUNT,
    ARTIFACTS,
    FIRST,
    SECOND,
    THIRD,
    Registered,
    World,
    observed,
    outputs_of,
    release,
    run,
    standing_on,
)
from tests.program.test_artifacts import MADE, checkout, exported
from tests.program.test_artifacts import Registry as Artifacts
from tests.program.test_holding import holding

pytestmark = pytest.mark.program
TABLES = {each.token: each for each in TYPES}
EXAMPLE = Path(__file__).resolve().parents[4] / "docs/stack-settings.example.yaml"
PROJECT = "release-lane:"

Path_ = tuple[str, ...]


def of_one_release_or_less(each: Registered) -> bool:
    """What comes and goes with releases, alarms, or ranges of testers: no user stands on it."""
    kind = each.type.rsplit(":", 1)[-1]
    return (
        kind in {"TaskDefinition", "MetricAlarm", "Image", "Rollout", "SmokeGate"}
        or (kind == "SecurityGroupIngressRule" and "-test-" in each.name)
        # They are for the secrets that releases read; without any there are none.
        or kind == "RolePolicy"
        # The new one is there, and the listener has it, before the old one goes: `names` says for whom it is.
        or kind in {"Certificate", "CertificateValidation", "Record"}
        or (kind == "VpcEndpoint" and each.name.endswith(SECRET_STORES))
        or kind in {"Network", "Balancer", "Colour", "Stores", "Stack", "Nat", "NatPerZone", "Endpoints"}
    )


def of_egress(world: World, each: Registered) -> bool:
    """Does it belong to a way out of private subnets?"""
    return any(f"{way.component}::" in world.options[each.type, each.name].parent for way in Egress)


STORES = {
    PROJECT + "database": json.dumps({"instanceClass": "db.t4g.micro"}),
    PROJECT + "cache": json.dumps({"nodeType": "cache.t4g.micro"}),
}
"""A database and a cache."""


def with_stores(domain: str = "") -> dict[str, Any]:
    """The state of an environment that has both. `domain`: users come by HTTPS, by this name."""
    made = {
        Kind.DATABASE: {"instanceClass": "db.t4g.micro", "engineVersion": "17", "allocatedStorage": 20.0},
        Kind.CACHE: {"nodeType": "cache.t4g.micro", "engineVersion": "8.1"},
    }
    urn = f"urn:pulumi:staging::release-lane::{COMPONENT}$"
    found = {
        f"{urn}{kind.type}::release-lane-staging-{kind}": {"type": kind.type, "outputs": made[kind]} for kind in made
    }
    return {**standing_on(domain=domain), **found}


def stored(config: Mapping[str, str] | None = None, **over: Any) -> World:
    """`live` with both."""
    return live({**STORES, **(config or {})}, with_stores(), **over)


def live(
    config: Mapping[str, str] | None = None,
    state: Mapping[str, Any] | None = None,
    network: Mapping[str, Any] | None = None,
    **over: Any,
) -> World:
    """SECOND serves from green, blue holds FIRST; the registry has what is asked for, else THIRD, which every other
    stack has proven."""
    asked = (config or {}).get(PROJECT + "imageDigest", THIRD)
    seen = observed(blue=release(FIRST), green=release(SECOND), live=Colour.GREEN, image=asked)
    world = World(outputs=STACKS, observed={**seen, **over}, state=state, network=network or {})
    return run(world, config)


def proven(outputs: Mapping[str, Any], digest: str) -> dict[str, Any]:
    """A stack's outputs in which this digest passed every gate, and a drill."""
    passed = {"digest": digest, "releaseId": release(digest).id, "drilled": "2026-11-29T20:00:00Z"}
    return {**outputs, "evidence": [passed]}


RECORD = proven(outputs_of(release(SECOND), Colour.GREEN, release(FIRST)), SECOND)
STACKS = {
    **dict.fromkeys(("production", "dev"), proven(outputs_of(release(THIRD), Colour.BLUE), THIRD)),
    **ARTIFACTS,
    "registry": {"repositoryUrl": "registry.test/release-lane/other"},
    "staging": RECORD,
}


def secured(config: Mapping[str, str]) -> World:
    """`stored` where users come by HTTPS. A certificate that is named is of both names."""
    asked = {**STORES, PROJECT + "https": json.dumps(HTTPS), **config}
    named = "certificateArn" in asked[PROJECT + "https"]
    both = [HTTPS["domain"], ELSEWHERE["https", "domain"]] if named else []
    return live(asked, with_stores(HTTPS["domain"]), secured=True, certificateNames=both)


def in_existing(config: Mapping[str, str]) -> World:
    """`stored` in a network that exists."""
    known = in_example(("network", "existing"))
    state = {urn: each for urn, each in with_stores().items() if "infra:Network" not in urn and "infra:Nat" not in urn}
    for each in state.values():
        each["outputs"] |= {"vpcId": known["vpcId"]} if "vpcId" in each["outputs"] else {}
    ways = {"publicSubnets": "igw-1", "privateSubnets": "nat-1"}
    subnets = {
        id: {"vpc": known["vpcId"], "zone": f"us-east-1{zone}", "way": way}
        for key, way in ways.items()
        for ids in (known[key], ELSEWHERE["network", "existing", key])
        for zone, id in zip("ab", ids, strict=True)
    }
    asked = {**STORES, PROJECT + "network": json.dumps({"existing": known}), **config}
    return live(asked, state, {"cidr": "10.99.0.0/16", "subnets": subnets})


def held(config: Mapping[str, str]) -> World:
    """A hold stands: FIRST on blue is live, SECOND on green has a share of the users."""
    return run(holding(state=with_stores()), {**STORES, **config})


def came_back(config: Mapping[str, str]) -> World:
    """Users were rolled back from SECOND, which green still holds, to FIRST on blue."""
    seen = observed(blue=release(FIRST), green=release(SECOND), live=Colour.BLUE, image=SECOND)
    record = outputs_of(release(FIRST), Colour.BLUE, release(SECOND))
    history = [release(each).as_dict() for each in (FIRST, SECOND, FIRST)]
    stacks = {**STACKS, "staging": {**record, "liveHistory": history}}
    return run(World(outputs=stacks, observed=seen, state=with_stores()), {**STORES, **config})


Scene = Callable[[Mapping[str, str]], World]


def scene_of(path: Path_) -> Scene:
    """The environment in which a setting means something."""
    match path:
        case ("https", *_):
            return secured
        case ("network", "existing", _):
            return in_existing
        case ("holdEnd",) | ("holdOf",):
            return held
        case ("forwardFrom",):
            return came_back
    return stored


@cache
def unchanged(scene: Scene) -> World:
    """What an update registers there that asks for nothing."""
    return scene({})


# ---- Settings


def leaves(model: type[BaseModel], path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Each setting: its path, and its default."""
    for name, field in model.model_fields.items():
        inner, here = field.annotation, (*path, field.alias or name)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from leaves(inner, here)
        else:
            yield here, field.get_default(call_default_factory=True)


@cache
def example() -> dict[str, Any]:
    """Its settings; for reading only."""
    config: dict[str, Any] = next(iter(yaml.safe_load_all(EXAMPLE.read_text())))["config"]
    return config


def in_example(path: Path_) -> Any:
    """The example's value of a setting."""
    value = example()[PROJECT + path[0]]
    for key in path[1:]:
        value = value[key]
    return value


SEALED = bound(
    DecisionKind.KEEP,
    Colour.GREEN,
    release(SECOND).id,
    all_on(Colour.GREEN),
    Recorded.from_outputs(RECORD),
)
"""Of an update that changes no release."""

ELSEWHERE = {
    ("service", "memory"): 1024,
    ("service", "healthPath"): "/healthz",
    ("service", "statusPath"): "/status",
    ("smoke", "identify"): "header",
    ("service", "cpu"): 512,
    ("promotesFrom",): "dev",
    ("alarms", "periodSeconds"): 120,
    ("network", "existing", "vpcId"): "vpc-0fedcba9876543210",
    ("network", "existing", "publicSubnets"): ["subnet-0123456789abcdef4", "subnet-0123456789abcdef5"],
    ("network", "existing", "privateSubnets"): ["subnet-0123456789abcdef6", "subnet-0123456789abcdef7"],
    ("network", "cidr"): "10.30.0.0/16",
    ("account",): "111111111111",
    ("artifacts",): "registry",
    ("idle", "afterWatch"): 1,
    ("network", "zones"): 3,
    ("accessLogs", "enabled"): False,
    ("https", "domain"): "www.example.com",
    ("https", "hostedZone"): "Z9",
    ("https", "certificateArn"): "arn:aws:acm:us-east-1:000000000000:certificate/1",
    ("network", "egress"): "endpoints",
    ("approval", "validFor"): "8h",
    ("approval", "distinct"): False,
    ("approval", "required"): True,
    ("rollbackFrom",): SECOND,
    ("forwardFrom",): FIRST,
    ("redeployFrom",): SECOND,
    ("sealed",): SEALED,
    ("given",): ["DATABASE_HOST"],
    ("database", "instanceClass"): "db.m7g.large",
    ("database", "engineVersion"): "18",
    ("database", "backupDays"): 14,
    ("database", "multiZone"): True,
    ("cache", "nodeType"): "cache.m7g.large",
    ("cache", "engineVersion"): "8.2",
    ("cache", "multiZone"): True,
    ("asItStands",): True,
    ("holdEnd",): "old",
    ("holdOf",): SECOND,
}
"""Other values than the example's, where that shows the default, or what changes nothing."""


def another(path: Path_, default: Any) -> Any:
    """Another value of a setting than its default."""
    value = ELSEWHERE[path] if path in ELSEWHERE else in_example(path)
    if value == default and type(value) is int:
        return value + 5
    assert value != default, f"say in ELSEWHERE what else {'.'.join(path)} may be"
    return value


HTTPS = {"domain": "shop.example.com", "hostedZone": "Z0123456789ABCDEFGHIJ"}

SECTIONS: dict[str, dict[str, Any]] = {
    "https": {"https": HTTPS},
    **{key.removeprefix(PROJECT): {key.removeprefix(PROJECT): json.loads(value)} for key, value in STORES.items()},
}
"""Next to each setting of these sections."""

BESIDE: dict[Path_, dict[str, Any]] = {
    ("https", "domain"): {"https": {"certificateArn": ELSEWHERE["https", "certificateArn"]}},
    ("https", "certificateArn"): {"https": {"domain": HTTPS["domain"]}},
    ("service", "cpu"): {"service": {"memory": 1024}},
    ("healthCheck", "timeoutSeconds"): {"healthCheck": {"intervalSeconds": 10}},
    ("accessLogs", "prefix"): {"accessLogs": {"bucket": "shop-access-logs"}},
    ("accessLogs", "enabled"): {"accessLogs": {"bucket": "shop-access-logs"}},
    ("requireDrill",): {"promotesFrom": "dev"},
    ("parity", "required"): {"promotesFrom": "dev"},
    ("network", "existing", "vpcId"): {"network": {"existing": in_example(("network", "existing"))}},
    ("network", "existing", "publicSubnets"): {"network": {"existing": in_example(("network", "existing"))}},
    ("network", "existing", "privateSubnets"): {"network": {"existing": in_example(("network", "existing"))}},
    ("rollbackFrom",): {"imageDigest": FIRST},
    ("forwardFrom",): {"imageDigest": SECOND},
    ("redeployFrom",): {"imageDigest": FIRST, "service": {"memory": 1024}},
    ("drill",): {"imageDigest": FIRST, "rollbackFrom": SECOND},
    ("holdOf",): {"holdEnd": "new"},
}
"""What a setting needs next to it to be right."""


def given(path: Path_, value: Any) -> dict[str, str]:
    """A stack file in which this one setting is given, and what it needs."""
    asked = deepcopy(BESIDE.get(path) or SECTIONS.get(path[0], {}))
    section = asked
    for key in path[:-1]:
        section = section.setdefault(key, {})
    section[path[-1]] = value
    return {PROJECT + key: each if isinstance(each, str) else json.dumps(each) for key, each in asked.items()}


def names(world: World) -> set[str]:
    """What the certificate of the listener that users of HTTPS come by is for."""
    used = {each.inputs.get("certificateArn") for each in world.of_type("listener:Listener")} - {None}
    requested = {
        each.inputs["domainName"] for each in world.of_type("certificate:Certificate") if f"arn:{each.name}" in used
    }
    return requested or ({*world.observed.get("certificateNames", ())} if used else set())


def undermined(before: World, after: World) -> list[str]:
    """What users stand on in `before` and the engine would replace or delete on the way to `after`."""
    now = {(each.type, each.name): each for each in after.registered}
    found = [f"the certificate of {name}" for name in sorted(names(before) - names(after))]
    for each in before.registered:
        key = (each.type, each.name)
        if of_one_release_or_less(each):
            continue
        if key not in now:
            found.append(f"delete {each.name}")
            continue
        ignored, table = after.options[key].ignored, TABLES.get(each.type)
        old, new = each.inputs, now[key].inputs
        changed = {name for name in {*old, *new} if old.get(name) != new.get(name) and not {"*", name} & {*ignored}}
        found += [f"replace {each.name}: {name}" for name in sorted(changed & (table.replace_on if table else set()))]
    return found


APART = {("role",), ("insecure",)}
"""Tested by themselves: another kind of stack (below), plain HTTP for users of HTTPS (tests/infra/test_https.py)."""

SETTINGS = {path: default for path, default in leaves(EnvironmentSettings) if path not in APART}


ALONE = {("holdEnd",), ("holdOf",), ("asItStands",)}
"""They go with no release."""

CASES = [
    pytest.param(path, release_too, id=f"{'.'.join(path)}{' with a release' if release_too else ''}")
    for path in SETTINGS
    for release_too in (False, True)
    if not release_too or (path not in {*ALONE, ("imageDigest",)} and "imageDigest" not in BESIDE.get(path, {}))
]

_BOTH, _WITH_A_RELEASE = (False, True), (True,)
REFUSED: dict[tuple[Path_, bool], str] = {
    (path, release_too): words
    for path, when, words in (
        (("account",), _BOTH, "the stack belongs to 111111111111"),
        (("sealed",), _WITH_A_RELEASE, "no longer the one that was reviewed"),
        (("approval", "required"), _WITH_A_RELEASE, "only with the seal of its review"),
        (("network", "cidr"), _BOTH, "network.cidr from 10.20.0.0/16 to 10.30.0.0/16"),
        (("network", "existing", "vpcId"), _BOTH, "network.existing from vpc-0123456789abcdef0 to vpc-0fedcba98765432"),
    )
    for release_too in when
}
"""What a decision refuses, by itself or with a release, and in which words: another account is another environment; a
seal holds for the one decision that was reviewed, and where one is required nothing goes forward without; range and VPC
cannot be changed under users. All else has to go through."""


@pytest.mark.parametrize(("path", "release_too"), CASES)
def test_no_setting_undermines_live_users(path: Path_, release_too: bool) -> None:
    config = {**({PROJECT + "imageDigest": THIRD} if release_too else {}), **given(path, another(path, SETTINGS[path]))}
    scene = scene_of(path)
    if (path, release_too) in REFUSED:
        with pytest.raises(Refused, match=REFUSED[path, release_too]):
            scene(config)
    else:
        assert undermined(unchanged(scene), scene(config)) == []


@pytest.mark.parametrize("path", sorted(ALONE), ids=".".join)
def test_what_goes_with_no_release_is_wrong_next_to_one(path: Path_) -> None:
    with pytest.raises(UsageError, match="leave out imageDigest"):
        scene_of(path)({PROJECT + "imageDigest": THIRD, **given(path, ELSEWHERE[path])})


OF_ARTIFACTS: dict[Path_, Any] = {
    ("account",): "111111111111",
    ("app", "folder"): "shop",
    ("app", "dockerfile"): "release.Dockerfile",
    ("app", "buildArgs"): {"EDITION": "2"},
    ("source",): "elsewhere",
    ("adopt",): f"ghcr.io/acme/shop@{FIRST}",
    ("adoptCommit",): "d" * 40,
    ("adoptSource",): "https://github.com/acme/shop",
    ("repository",): "acme/images",
}
"""Another value of each setting of the artifacts stack than its default."""


@pytest.mark.parametrize("path", [path for path, _ in leaves(ArtifactsSettings) if path not in APART], ids=".".join)
def test_no_setting_undermines_the_images_of_live_tasks(path: Path_, tmp_path: Path) -> None:
    files = {"shop/Dockerfile": "FROM scratch\n", "app/release.Dockerfile": "FROM scratch\n"}
    source = checkout(tmp_path, **files)
    value = str(source) if path == ("source",) else OF_ARTIFACTS[path]
    before = Artifacts(outputs=MADE)
    after = Artifacts(outputs=MADE, account=value if path == ("account",) else ACCOUNT)
    exported(before, source)
    for key in reversed(path):
        value = {key: value}
    if path in {("account",), ("repository",)}:
        with pytest.raises(Refused):
            exported(after, source, value)
        return
    exported(after, source, value)
    assert undermined(before, after) == []
    assert before.registered
    assert after.options["aws:ecr/repository:Repository", "app"].protect


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("cidr", "10.30.0.0/16", "network.cidr from 10.20.0.0/16 to 10.30.0.0/16"),
        ("zones", ["us-east-1a", "us-east-1c"], "network.zones from us-east-1a, us-east-1b to us-east-1a, us-east-1c"),
    ],
)
@pytest.mark.parametrize("release_too", [False, True])
def test_another_network_is_refused_with_the_setting_and_both_values(
    key: str, value: Any, said: str, release_too: bool
) -> None:
    config = given(("network", key), value) | ({PROJECT + "imageDigest": THIRD} if release_too else {})
    with pytest.raises(Refused, match="would replace what live users stand on") as refused:
        live(config)
    assert said in refused.value.what
    assert "--allow-replace" in str(refused.value)


def test_another_region_is_refused() -> None:
    state = standing_on()
    for each in state.values():
        each["outputs"] |= {"region": "eu-west-1"} if "region" in each["outputs"] else {}
    with pytest.raises(Refused, match="aws:region from eu-west-1 to us-east-1"):
        live({}, state, rule=None, listenerArn="")


def test_the_same_two_zones_in_another_order_change_nothing() -> None:
    config = given(("network", "zones"), ["us-east-1b", "us-east-1a"])
    assert undermined(live({}), live(config)) == []


def test_an_environment_that_serves_cannot_become_another_kind_of_stack() -> None:
    world = World(outputs={"staging": outputs_of(release(SECOND), Colour.GREEN)})

    @pulumi.runtime.test
    def body() -> None:
        build_artifacts(ArtifactsSettings(role="artifacts", account=ACCOUNT))

    pulumi.runtime.set_mocks(world, project="release-lane", stack="staging")
    with pytest.raises(Refused, match="its role cannot change"):
        body()
    assert not world.registered


# ---- Resources


def test_while_users_are_served_the_engine_protects_all_that_they_stand_on() -> None:
    worlds = (stored({}), stored({PROJECT + "imageDigest": THIRD}), secured({}))
    for world in worlds:
        bare = {
            each.name
            for each in world.registered
            if not of_one_release_or_less(each) and not world.options[each.type, each.name].protect
        }
        idle = {"release-lane-staging-blue"} if world.one("TrafficSwitch").inputs["decision"] == "deploy" else set()
        assert bare == idle, "only the service of the colour that is written may go"


def test_what_the_program_drops_is_refused_before_any_colour_is_written() -> None:
    kind, name = "aws:ec2/vpcEndpoint:VpcEndpoint", "release-lane-staging"
    urn = f"urn:pulumi:staging::release-lane::release-lane:infra:Network${kind}::{name}"
    state = {**standing_on(), urn: {"type": kind, "outputs": {}}}
    for config in ({}, {PROJECT + "imageDigest": THIRD}):
        with pytest.raises(Refused, match=f"would delete what live users stand on: {kind} {name}"):
            live(config, state)


def test_every_type_that_users_stand_on_has_a_table_that_says_what_replaces_it() -> None:
    shared = {each.type for each in stored({}).registered if not of_one_release_or_less(each)}
    assert {kind for kind in shared if not kind.startswith("release:")} <= TABLES.keys()


def test_the_first_release_is_protected_by_its_own_update_but_for_what_goes_with_a_load_balancer() -> None:
    world = run(World(outputs=ARTIFACTS, observed=observed(image=FIRST)), {PROJECT + "imageDigest": FIRST})
    bare = {
        each.type.rsplit(":", 1)[-1]
        for each in world.registered
        if not of_one_release_or_less(each)
        and not world.options[each.type, each.name].protect
        # What leads out of private subnets is protected once a colour is in them.
        and not of_egress(world, each)
    }
    assert bare == {"Listener", "Service"}


@pytest.mark.parametrize(
    ("world", "config"),
    [
        (World(outputs=ARTIFACTS, observed=observed(), state=standing_on()), {}),
        (World(outputs=ARTIFACTS, observed=observed(image=FIRST), state=standing_on()), {"imageDigest": FIRST}),
    ],
    ids=["without a release", "with the first one"],
)
def test_before_the_first_release_settings_are_free(world: World, config: Mapping[str, str]) -> None:
    asked = {PROJECT + key: value for key, value in config.items()} | given(("network", "cidr"), "10.30.0.0/16")
    run(world, asked)
    assert world.one("Vpc").inputs["cidrBlock"] == "10.30.0.0/16"
    assert all(not world.options[each.type, each.name].ignored for each in world.of_type("TargetGroup"))
    if not config:
        assert not any(options.protect for options in world.options.values())


def test_what_may_be_replaced_is_built_anew_as_for_the_first_release() -> None:
    world = live({PROJECT + "allowReplace": "true", **given(("network", "cidr"), "10.30.0.0/16")})
    assert not any(options.protect for options in world.options.values())
    switch = world.one("TrafficSwitch").inputs
    assert (switch["decision"], switch["live"], switch.get("expected")) == ("deploy", "green", None)
    assert switch["release"]["digest"] == SECOND, "without a digest what is live stays"
    assert all(not world.options[each.type, each.name].ignored for each in world.of_type("TargetGroup"))
    assert all(not world.options[each.type, each.name].ignored for each in world.of_type("service:Service"))


def test_leave_to_replace_does_nothing_where_nothing_would_be_replaced() -> None:
    assert live({PROJECT + "allowReplace": "true"}).one("TrafficSwitch").inputs["decision"] == "keep"
