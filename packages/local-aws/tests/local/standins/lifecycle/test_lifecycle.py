"""Every type × every point of a resource's life, over the engine's protocol, on the emulator.

    test_…  create · update in place (each property) · replace · delete · refresh after a change by hand · deleted by
    hand · import · preview with unknowns · partial failure and the retry after it · secrets · refusals

Cancelling is in test_cancel.py; stories with the real engine are in test_engine_stories.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from local_aws.standins.aws.base import AwsResource
from local_aws.standins.aws.provider import TYPES
from provider_kit import Props
from provider_kit.values import SPELLED_OUT
from tests.kit.serving import UNKNOWN_STRING, Client, Refusal, secret
from tests.local.standins.lifecycle import cache_cases, database_cases, network_cases, service_cases
from tests.local.standins.lifecycle.case import Case
from tests.local.standins.lifecycle.course import MADE_UP
from tests.local.standins.lifecycle.engine import Managed
from tests.local.standins.lifecycle.recording import Calls, after_the_first_change, trouble
from tests.local.standins.lifecycle.world import World

pytestmark = pytest.mark.cloud

CASES = (*network_cases.CASES, *service_cases.CASES, *database_cases.CASES, *cache_cases.CASES)
WAITS_ONLY = "aws:acm/certificateValidation:CertificateValidation"
"""Nothing in AWS, so its life is another one: test_certificates.py."""

TYPE: dict[str, type[AwsResource]] = {type_.token: type_ for type_ in TYPES if type_.token != WAITS_ONLY}
every_case = pytest.mark.parametrize("case", CASES, ids=str)


class AnyWorld:
    """Answers anything: enough to list which properties a case changes."""

    subnets = groups = tables = roles = balancers = target_groups = definitions = repositories = ("a", "b", "c")
    certificates = subnet_groups = cache_groups = ("a", "b")

    def __getattr__(self, _name: str) -> Any:
        return AnyWorld()

    def __call__(self, *_: Any, **__: Any) -> Any:
        return AnyWorld()

    def __getitem__(self, _key: Any) -> Any:
        return AnyWorld()

    def __add__(self, _other: Any) -> int:
        return 1

    __radd__ = __add__


def each_property() -> Iterator[Any]:
    for case in CASES:
        for name in case.in_place(AnyWorld()):  # type: ignore[arg-type]
            yield pytest.param(case, name, id=f"{case}-{name}")


def made(client: Client, case: Case, world: World) -> tuple[Managed, Props]:
    one, good = Managed(client, case.token), case.good(world)
    assert one.up(good) == "create"
    return one, good


def test_every_type_is_here() -> None:
    assert {case.token for case in CASES} == TYPE.keys()


@pytest.mark.parametrize("made_up", ["db-AB0C1D2E3F4A5B6C7D8E9F0A1B", "db-0123456789ABCDEF0A1B2C3D4E"])
def test_a_name_that_aws_makes_up_is_compared_with_no_other(made_up: str) -> None:
    assert MADE_UP.sub("#", made_up) == "db-#"


@pytest.mark.parametrize("token", TYPE)
def test_every_property_is_changed_somewhere_or_says_why_not(token: str) -> None:
    world: Any = AnyWorld()
    cases = [case for case in CASES if case.token == token]
    tried = {name for case in cases for name in (*case.in_place(world), *case.replacing(world))}
    assert tried | {name for case in cases for name in case.not_tried} == TYPE[token].props.keys()


@every_case
def test_what_was_created_is_as_it_was_asked_for(case: Case, client: Client, world: World) -> None:
    one, good = made(client, case, world)
    assert {name for name in TYPE[case.token].outputs if one.outputs.get(name) is None} == set()
    assert one.drift() == {}
    assert one.up(good) == "same"
    one.destroy()


@pytest.mark.parametrize(("case", "name"), [*each_property()])
def test_a_property_is_changed_in_place_and_back(case: Case, name: str, client: Client, world: World) -> None:
    one, good = made(client, case, world)
    id, changed = one.id, good | {name: case.in_place(world)[name]}
    assert one.up(changed) == "update"
    assert one.drift() == {}
    assert one.up(changed) == "same"
    computed = TYPE[case.token].props[name].computed and name not in good
    assert one.up(good) == ("same" if computed else "update")
    assert one.id == id
    assert one.drift() == {}
    one.destroy()


@every_case
def test_a_replacing_property_replaces(case: Case, client: Client, world: World) -> None:
    one, good = made(client, case, world)
    before = Managed(client, case.token, id=one.id, inputs=one.inputs, outputs=one.outputs)
    name, value = next(iter(case.replacing(world).items()))
    assert one.up(good | {name: value}) == "replace"
    assert one.drift() == {}
    assert before.id == one.id or before.refresh() == "gone"
    one.destroy()


@every_case
def test_a_diff_names_what_replaces_and_nothing_else_does(case: Case, client: Client, world: World) -> None:
    one, good = made(client, case, world)
    for name, value in case.replacing(world).items():
        other = {key: given for key, given in good.items() if name not in AGAINST or key not in AGAINST[name]}
        answer = one.diff(one.check(other | {name: value}))
        assert set(answer.replaces) == {name, *AGAINST.get(name, ())} & {name, *good}, name
    for name, value in case.in_place(world).items():
        assert list(one.diff(one.check(good | {name: value})).replaces) == [], name
    one.destroy()


AGAINST = {
    # where one excludes the other
    **dict.fromkeys(("cidrIpv6", "referencedSecurityGroupId", "prefixListId"), ("cidrIpv4",)),
    "gatewayId": ("subnetId",),
    "connectivityType": ("allocationId",),
}


@every_case
def test_what_was_deleted_is_gone_and_can_be_deleted_again(case: Case, client: Client, world: World) -> None:
    one, _ = made(client, case, world)
    again = Managed(client, case.token, id=one.id, inputs=one.inputs, outputs=one.outputs)
    one.destroy()
    assert Managed(client, case.token, id=again.id, inputs=again.inputs, outputs=again.outputs).refresh() == "gone"
    again.destroy()


@pytest.mark.parametrize("case", [case for case in CASES if case.by_hand], ids=str)
def test_a_refresh_sees_a_change_by_hand_and_the_next_update_puts_it_right(
    case: Case, client: Client, world: World
) -> None:
    assert case.by_hand is not None
    name, change = case.by_hand
    one, good = made(client, case, world)
    before = one.outputs.get(name)
    change(world, one)
    assert one.refresh() == "update"
    assert one.outputs.get(name) != before
    prop = TYPE[case.token].props[name]
    to_do = "same" if prop.computed and name not in good else "replace" if prop.replace else "update"
    assert one.up(good) == to_do
    assert one.drift() == {}
    one.destroy()


@every_case
def test_tags_that_somebody_added_are_taken_away_again(case: Case, client: Client, world: World) -> None:
    if "tags" not in TYPE[case.token].props:
        pytest.skip("has no tags")
    one, good = made(client, case, world)
    without = {name: value for name, value in good.items() if name != "tags"}
    assert one.up(without) == "update"
    by_hand = Managed(client, case.token, id=one.id, inputs=one.inputs, outputs=one.outputs)
    by_hand.up(good)
    assert one.refresh() == "update"
    assert one.outputs["tags"] == {"team": "a"}
    assert one.up(without) == "update"
    assert one.outputs.get("tags", {}) == {}
    one.destroy()


@every_case
def test_what_was_deleted_by_hand_is_gone_after_a_refresh_and_made_anew(
    case: Case, client: Client, world: World
) -> None:
    one, good = made(client, case, world)
    case.take_away(world, one)
    assert one.refresh() == "gone"
    assert one.up(good) == "create"
    one.destroy()


@every_case
def test_what_is_there_is_imported_and_needs_no_change(case: Case, client: Client, world: World) -> None:
    one, good = made(client, case, world)
    imported = Managed(client, case.token)
    imported.adopt(case.import_id(one))
    assert imported.id == one.id
    assert (imported.up(good), imported.changed) == ("same", [])
    imported.refresh()
    assert (imported.up(good), imported.changed) == ("same", [])
    imported.destroy()


@every_case
def test_a_preview_with_unknowns_changes_nothing_and_says_what_is_not_known(
    case: Case, client: Client, calls: Calls, world: World
) -> None:
    good = case.good(world)
    calls.made.clear()
    new = Managed(client, case.token)
    for name in good:
        shown = new.preview(good | {name: UNKNOWN_STRING})
        assert shown[name] == UNKNOWN_STRING
        assert {shown[output] for output in TYPE[case.token].outputs} <= {UNKNOWN_STRING}
    assert calls.made == []
    one = Managed(client, case.token)
    one.up(good)
    calls.made.clear()
    for name in [*case.in_place(world)]:
        shown = one.preview(good | {name: UNKNOWN_STRING})
        assert shown[name] == UNKNOWN_STRING
        assert {shown[output] == one.outputs[output] for output in TYPE[case.token].outputs} <= {True}
        diff = one.diff(one.check(good | {name: UNKNOWN_STRING}))
        assert name in diff.diffs
        assert list(diff.replaces) == []
    assert calls.made == []
    one.destroy()


@every_case
def test_what_was_half_made_is_kept_and_completed_by_the_next_update(
    case: Case, client: Client, calls: Calls, world: World
) -> None:
    one, good = Managed(client, case.token), case.good(world)
    calls.refuse = after_the_first_change
    with pytest.raises(Refusal, match="out of order"):
        one.up(good)
    calls.refuse = lambda _name, _before: None
    assert one.id
    assert one.failed
    assert one.up(good) == "update"
    assert one.drift() == {}
    assert one.up(good) == "same"
    one.destroy()


@pytest.mark.parametrize(
    ("token", "operation"),
    [
        ("aws:ec2/vpc:Vpc", "modify_vpc_attribute"),
        ("aws:ec2/internetGateway:InternetGateway", "attach_internet_gateway"),
        ("aws:ec2/routeTable:RouteTable", "create_route"),
        ("aws:ec2/securityGroup:SecurityGroup", "revoke_security_group_egress"),
        ("aws:cloudwatch/logGroup:LogGroup", "put_retention_policy"),
        ("aws:sns/topic:Topic", "set_topic_attributes"),
        ("aws:lb/loadBalancer:LoadBalancer", "modify_load_balancer_attributes"),
    ],
)
def test_what_is_known_of_something_half_made_is_recorded(
    token: str, operation: str, client: Client, calls: Calls, world: World
) -> None:
    case = next(case for case in CASES if case.token == token)
    one, good = Managed(client, token), case.good(world)
    calls.refuse = lambda called, _before: trouble(called) if called == operation else None
    with pytest.raises(Refusal, match="out of order"):
        one.up(good)
    calls.refuse = lambda _name, _before: None
    assert one.outputs["arn"].startswith("arn:aws:")
    assert one.preview(good)["arn"] == one.outputs["arn"]
    assert one.up(good) == "update"
    assert one.drift() == {}
    one.destroy()


@every_case
def test_a_preview_of_something_half_made_says_what_is_not_known(
    case: Case, client: Client, calls: Calls, world: World
) -> None:
    one, good = Managed(client, case.token), case.good(world)
    calls.refuse = after_the_first_change
    with pytest.raises(Refusal, match="out of order"):
        one.up(good)
    calls.refuse = lambda _name, _before: None
    shown = one.preview(good)
    assert {shown[output] for output in TYPE[case.token].outputs} <= {UNKNOWN_STRING}
    one.destroy()


@every_case
def test_what_was_half_made_can_be_deleted(case: Case, client: Client, calls: Calls, world: World) -> None:
    one = Managed(client, case.token)
    calls.refuse = after_the_first_change
    with pytest.raises(Refusal, match="out of order"):
        one.up(case.good(world))
    calls.refuse = lambda _name, _before: None
    one.destroy()


@every_case
def test_a_failed_update_is_tried_again(case: Case, client: Client, calls: Calls, world: World) -> None:
    changes = case.in_place(world)
    if not changes:
        pytest.skip("is never changed in place")
    one, good = made(client, case, world)
    calls.made.clear()
    calls.refuse = after_the_first_change
    with pytest.raises(Refusal, match="out of order"):
        one.up(good | changes)
    calls.refuse = lambda _name, _before: None
    assert one.up(good | changes) == "update"
    assert one.drift() == {}
    one.up(good)
    one.destroy()


@pytest.mark.parametrize("case", [case for case in CASES if case.twice], ids=str)
def test_what_is_there_already_is_not_taken_over(case: Case, client: Client, world: World) -> None:
    """As after a create whose engine was killed: AWS has it, and the state does not."""
    one, good = made(client, case, world)
    with pytest.raises(Refusal, match=case.twice) as refused:
        Managed(client, case.token).up(good)
    assert refused.value.kept is None
    assert one.drift() == {}
    one.destroy()


@every_case
def test_secrets_are_never_in_clear_in_the_state(case: Case, client: Client, world: World) -> None:
    good = case.good(world)
    texts = {value for value in good.values() if isinstance(value, str) and len(value) >= SPELLED_OUT}
    texts -= {
        text for text in texts if any(text in name for name in TYPE[case.token].computed)
    }  # "networkInterfaceIds"
    one = Managed(client, case.token)
    assert one.up({name: secret(value) for name, value in good.items()}) == "create"
    for _ in range(2):
        clear = one.in_clear()
        assert {text for text in texts if text in clear} == set()
        assert '"team", "a"' not in clear
        assert one.drift() == {}
    one.destroy()


@every_case
def test_a_property_that_is_not_in_the_table_is_refused(case: Case, client: Client, world: World) -> None:
    wrong = Managed(client, case.token).wrong(case.good(world) | {"noSuchThing": 1})
    assert list(wrong) == ["noSuchThing"]
    assert "is not served by the local cloud's stand-in for pulumi-aws; it takes: " in wrong["noSuchThing"]


@every_case
def test_what_is_required_is_asked_for(case: Case, client: Client, world: World) -> None:
    good, table = case.good(world), TYPE[case.token].props
    for name in good:
        rest = {key: value for key, value in good.items() if key != name}
        expected = {name: "is required"} if table[name].required else {}
        wrong = Managed(client, case.token).wrong(rest)
        assert {key: why for key, why in wrong.items() if why == "is required"} == expected


def test_a_type_that_is_not_in_the_tables_is_refused(client: Client) -> None:
    with pytest.raises(Refusal, match="Add it in local_aws/standins/aws, or use the official plugin"):
        Managed(client, "aws:s3/bucket:Bucket").check({})
