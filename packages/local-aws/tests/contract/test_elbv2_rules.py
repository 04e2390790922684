"""Elastic Load Balancing: rules, weights, tags."""

from __future__ import annotations

import pytest
import requests
from tests.contract.aws import Aws, tags_of
from tests.contract.balancing import Actor, Balancing, Listener, ask_often, fixed, forward
from tests.contract.contracts import contract
from tests.contract.stage import Stage

pytestmark = pytest.mark.cloud

GUIDE = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application"
API = "https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference"
DOOR, SWITCH, BALANCER = (
    "release_lane/aws/cloud.py",
    "release_lane/gates/switch.py",
    "infra/balancer.py",
)


class Colours:
    """Two groups with one healthy actor each, and a production listener with a rule, as the program makes them."""

    def __init__(self, elb: Balancing, actors: tuple[Actor, Actor]) -> None:
        self.elb = elb
        self.blue, self.green = elb.group("blue"), elb.group("green")
        self.users: Listener = elb.listener(fixed(503, "no release"))
        self.rule = elb.rule(self.users, forward((self.blue, 100), (self.green, 0)))
        for group, actor in zip((self.blue, self.green), actors, strict=True):
            elb.register(group, actor)
        for group in (self.blue, self.green):
            elb.until(group, "healthy")

    def weights(self, blue: int, green: int) -> None:
        """Only the actions are given, as the switch does."""
        self.elb.api.modify_rule(RuleArn=self.rule, Actions=[forward((self.blue, blue), (self.green, green))])

    def seen(self) -> dict[str, int]:
        """Weights as DescribeRules shows them."""
        shown = self.elb.api.describe_rules(RuleArns=[self.rule])["Rules"][0]["Actions"][0]
        return {each["TargetGroupArn"]: each["Weight"] for each in shown["ForwardConfig"]["TargetGroups"]}


@pytest.fixture(scope="module")
def colours(shared_elb: Balancing, actors: tuple[Actor, Actor]) -> Colours:
    return Colours(shared_elb, actors)


@contract(
    says="A target group with weight 0 in a rule gets none of its requests, also over connections that were open "
    "before; the weights are shown as they were set.",
    source=f"{GUIDE}/rule-action-types.html",
    otherwise="users would meet two releases at once after a switch",
    used_by=(SWITCH, DOOR),
    note="a changed rule takes a short time to be in force (edit-rule.html); how long is not said",
)
def test_a_group_of_weight_zero_gets_nothing(colours: Colours) -> None:
    with requests.Session() as kept:
        for weights, name in (((100, 0), "first"), ((0, 100), "second")):
            colours.weights(*weights)
            assert colours.seen() == {colours.blue: weights[0], colours.green: weights[1]}
            colours.elb.only(colours.users, name)
            assert {kept.get(colours.users.url, timeout=10).json()["name"] for _ in range(20)} == {name}


@contract(
    says="Requests are shared among target groups in proportion to their weights, each request by itself, without "
    "any cookie unless stickiness is switched on.",
    source=f"{GUIDE}/rule-action-types.html",
    otherwise="a step of a stepped switch would put another share of users on the new release than it says",
    used_by=(SWITCH,),
)
def test_weights_share_requests_in_proportion(colours: Colours) -> None:
    colours.weights(25, 75)
    colours.elb.only(colours.users, "first", "second")
    counted = ask_often(colours.users.url, 400)
    assert set(counted) == {"first", "second"}
    assert 50 <= counted["first"] <= 150, "100 of 400 are meant"
    assert "set-cookie" not in requests.get(colours.users.url, timeout=10).headers


@contract(
    says="ModifyRule with actions alone leaves conditions, priority and tags as they were.",
    source=f"{API}/API_ModifyRule.html",
    otherwise="moving users would lose the journal, or the rule would no longer match every path",
    used_by=(DOOR,),
)
def test_changing_actions_leaves_the_rest_of_a_rule(colours: Colours) -> None:
    api = colours.elb.api
    api.add_tags(ResourceArns=[colours.rule], Tags=[{"Key": "kept", "Value": "yes"}])
    before = api.describe_rules(RuleArns=[colours.rule])["Rules"][0]
    colours.weights(60, 40)
    after = api.describe_rules(RuleArns=[colours.rule])["Rules"][0]
    assert [after[key] for key in ("Conditions", "Priority")] == [before[key] for key in ("Conditions", "Priority")]
    assert tags_of(api.describe_tags(ResourceArns=[colours.rule])["TagDescriptions"][0]["Tags"])["kept"] == "yes"


@contract(
    says="A path condition made by `PathPatternConfig` is also shown with its `Values`.",
    source=f"{API}/API_RuleCondition.html",
    otherwise="the program would take its own rule for one that somebody changed, and refuse each update",
    used_by=(DOOR,),
    note="the page describes both members, and not that both are shown; the examples of DescribeRules show both",
)
def test_a_path_condition_is_shown_with_its_values(colours: Colours) -> None:
    (condition,) = colours.elb.api.describe_rules(RuleArns=[colours.rule])["Rules"][0]["Conditions"]
    assert (condition["Field"], condition["Values"]) == ("path-pattern", ["/*"])


@contract(
    says="AddTags writes several tags of a rule in one call, replaces those keys and leaves others; values may hold "
    "256 letters, digits, spaces and + - = . _ : / @, and nothing else.",
    source=f"{API}/API_AddTags.html",
    otherwise="the journal of a switch would be lost or refused, and an interrupted switch could not be explained",
    used_by=("release_lane/record/journal.py", SWITCH),
    note="the characters are on the page about tags of a load balancer: load-balancer-tags.html",
)
def test_tags_of_a_rule_are_replaced_by_key(colours: Colours) -> None:
    api = colours.elb.api
    api.add_tags(ResourceArns=[colours.rule], Tags=[{"Key": "somebody-else", "Value": "keeps this"}])
    end = "blue/sha256:" + "0123456789abcdef" * 4 + "/0123456789ab"
    for phase in ("moving", "moved"):
        given = {"release-lane:to": end, "release-lane:phase": phase}
        tags = [{"Key": key, "Value": value} for key, value in given.items()]
        api.add_tags(ResourceArns=[colours.rule], Tags=tags)
        shown = tags_of(api.describe_tags(ResourceArns=[colours.rule])["TagDescriptions"][0]["Tags"])
        assert {**given, "somebody-else": "keeps this"}.items() <= shown.items()
    with pytest.raises(api.exceptions.ClientError, match="ValidationError"):
        api.add_tags(ResourceArns=[colours.rule], Tags=[{"Key": "bad", "Value": "curly {brackets}"}])


@contract(
    says="RemoveTags takes these tags off a rule in one call and leaves others; one that is not there is no error.",
    source=f"{API}/API_RemoveTags.html",
    otherwise="an abort request would outlive its switch, or a failed undo would leave a false explanation",
    used_by=("release_lane/record/journal.py", "release_lane/gates/moving.py", "release_lane/gates/undoing.py"),
    note="that an absent one is no error is not on the page",
)
def test_tags_are_taken_off_a_rule_by_key(colours: Colours) -> None:
    api = colours.elb.api
    given = [{"Key": key, "Value": "yes"} for key in ("stays", "goes")]
    api.add_tags(ResourceArns=[colours.rule], Tags=given)
    for _ in range(2):
        api.remove_tags(ResourceArns=[colours.rule], TagKeys=["goes", "never-was"])
        shown = tags_of(api.describe_tags(ResourceArns=[colours.rule])["TagDescriptions"][0]["Tags"])
        assert "stays" in shown
        assert "goes" not in shown


@contract(
    says="CreateRule takes tags, and makes the rule with them or not at all.",
    source=f"{API}/API_CreateRule.html",
    otherwise="a first switch that is killed would leave users moved without a journal that says so",
    used_by=(DOOR, SWITCH),
)
def test_a_rule_is_made_with_its_tags(elb: Balancing) -> None:
    listener = elb.listener(fixed(503))
    condition = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}
    tag = {"Key": "release-lane:phase", "Value": "moving"}
    made = elb.api.create_rule(
        ListenerArn=listener.arn, Priority=1, Conditions=[condition], Actions=[fixed(200)], Tags=[tag]
    )["Rules"][0]["RuleArn"]
    assert elb.api.describe_tags(ResourceArns=[made])["TagDescriptions"][0]["Tags"] == [tag]


@contract(
    says="A listener takes a priority once: a second rule with the same one is `PriorityInUse`. The rule with the "
    "lowest number that matches decides, and every rule comes before the default action.",
    source=f"{GUIDE}/listener-rules.html",
    otherwise="two first switches at once could leave two rules, and who is served would be an accident",
    used_by=(DOOR, SWITCH),
)
def test_a_priority_is_taken_once_and_the_lowest_decides(elb: Balancing) -> None:
    listener = elb.listener(fixed(503, "default"))
    elb.rule(listener, fixed(200, "second"), priority=2)
    elb.only(listener, "second")
    elb.rule(listener, fixed(200, "first"), priority=1)
    elb.only(listener, "first")
    with pytest.raises(elb.api.exceptions.PriorityInUseException):
        elb.rule(listener, fixed(200, "again"), priority=1)


@contract(
    says="A fixed response answers with the status, the content type and the text that were set, without any target.",
    source=f"{GUIDE}/rule-action-types.html",
    otherwise="before the first release users would get something else than a 503 that says so",
    used_by=(BALANCER,),
)
def test_a_fixed_response_answers_by_itself(elb: Balancing) -> None:
    listener = elb.listener(fixed(503, "No release is live here yet."))
    elb.only(listener, "503")
    answer = requests.get(listener.url, timeout=10)
    assert (answer.status_code, answer.text) == (503, "No release is live here yet.")
    assert answer.headers["content-type"].startswith("text/plain")


@contract(
    says="What does not exist is an error with a name of its own: LoadBalancerNotFound, TargetGroupNotFound (also if "
    "only one of several names is missing), RuleNotFound.",
    source=f"{API}/API_DescribeTargetGroups.html",
    otherwise="an environment that does not exist yet would end in an unexplained error instead of its first update",
    used_by=(DOOR,),
    note="that one missing name of several is an error is not on the page",
)
def test_what_does_not_exist_has_a_named_error(elb: Balancing, aws: Aws) -> None:
    there = elb.group("there")
    named = elb.api.describe_target_groups(TargetGroupArns=[there])["TargetGroups"][0]["TargetGroupName"]
    with pytest.raises(elb.api.exceptions.LoadBalancerNotFoundException):
        elb.api.describe_load_balancers(Names=[aws.named("nothing")])
    with pytest.raises(elb.api.exceptions.TargetGroupNotFoundException):
        elb.api.describe_target_groups(Names=[named, aws.named("nothing")])
    rule = elb.rule(elb.listener(fixed(503)), fixed(200))
    elb.api.delete_rule(RuleArn=rule)
    with pytest.raises(elb.api.exceptions.RuleNotFoundException):
        elb.api.delete_rule(RuleArn=rule)
    with pytest.raises(elb.api.exceptions.RuleNotFoundException):
        elb.api.modify_rule(RuleArn=rule, Actions=[fixed(200)])


@contract(
    says="DescribeListeners shows the listeners of a load balancer with their ports; DescribeRules shows the default "
    "action as a rule that says so (IsDefault).",
    source=f"{API}/API_DescribeRules.html",
    otherwise="the production listener would not be found, or its 503 would be taken for the production rule",
    used_by=(DOOR,),
)
def test_listeners_and_their_default_rule_are_shown(elb: Balancing, stage: Stage) -> None:
    listener = elb.listener(fixed(503))
    elb.rule(listener, fixed(200))
    shown = elb.api.describe_listeners(LoadBalancerArn=stage.balancer["LoadBalancerArn"])["Listeners"]
    assert (listener.arn, listener.port) in [(each["ListenerArn"], each["Port"]) for each in shown]
    rules = elb.api.describe_rules(ListenerArn=listener.arn)["Rules"]
    assert [(each["IsDefault"], each["Priority"]) for each in rules] == [(False, "1"), (True, "default")]


@contract(
    says="A target group that a listener or rule forwards to cannot be deleted: ResourceInUse.",
    source=f"{API}/API_DeleteTargetGroup.html",
    otherwise="an update that replaces a target group could take it away under the production rule",
    used_by=("local_aws/standins/aws/lb.py",),
)
def test_a_target_group_in_use_cannot_be_deleted(elb: Balancing) -> None:
    group = elb.group("used")
    elb.rule(elb.listener(fixed(503)), forward((group, 0)))
    with pytest.raises(elb.api.exceptions.ResourceInUseException):
        elb.api.delete_target_group(TargetGroupArn=group)


@contract(
    says="Names of load balancers and target groups have 32 characters at most.",
    source=f"{API}/API_CreateTargetGroup.html",
    otherwise="a stack with a longer name would be refused by AWS half way through its first update",
    used_by=("release_lane/program/environment.py",),
)
def test_names_have_32_characters_at_most(elb: Balancing, aws: Aws) -> None:
    longest = aws.named("x" * (32 - len(aws.named(""))))
    assert elb.group(longest.removeprefix(aws.named("")))
    with pytest.raises(elb.api.exceptions.ClientError, match="ValidationError"):
        elb.group(longest.removeprefix(aws.named("")) + "x")
