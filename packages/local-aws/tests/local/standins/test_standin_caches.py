"""Caches: what is refused before anything is made, what is waited for, and in which order a change is done."""

from __future__ import annotations

from typing import Any

import pytest
from local_aws.standins.aws.elasticache import ReplicationGroup, SubnetGroup
from provider_kit import PartialFailure, Props, State
from tests.local.standins.examples import EXAMPLES
from tests.local.standins.fake_aws import Answer, refusal
from tests.local.standins.test_standin_types import CONTEXT, SCRIPT, checked, standin

pytestmark = pytest.mark.pure

SHOP = EXAMPLES[ReplicationGroup.token]
LIVE = SCRIPT["elasticache.describe_replication_groups"]["ReplicationGroups"][0]  # type: ignore[index]


def groups(**over: Any) -> Answer:
    return {"ReplicationGroups": [{**LIVE, **over}]}


def one_after_another(*answers: Answer) -> Answer:
    """The last one from then on."""
    left = list(answers)
    return lambda asked: _answered(left.pop(0) if len(left) > 1 else left[0], asked)


def _answered(answer: Answer, asked: dict[str, Any]) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer(asked) if callable(answer) else answer


def updated(before: Props, after: Props, **script: Answer) -> list[tuple[str, dict[str, Any]]]:
    """The changes at AWS that make the one into the other."""
    resource, aws = standin(ReplicationGroup, **script)
    was = checked(resource, before)
    resource.update(CONTEXT, State("shop", was, was | {"arn": "arn:x"}), checked(resource, after))
    return [(call.name.partition(".")[2], call.arguments) for call in aws.changes]


@pytest.mark.parametrize("engine", [{}, {"engine": "redis"}], ids=["left out", "redis"])
def test_an_engine_that_would_be_redis_is_refused_by_name(engine: Props) -> None:
    resource, _ = standin(ReplicationGroup)
    without = {name: value for name, value in SHOP.items() if name != "engine"}
    ((name, why),) = resource.check(CONTEXT, without | engine, None)[1]
    assert name == "engine"
    assert why.startswith("should be valkey")


def test_encryption_in_transit_is_said_to_aws_also_where_it_is_left_out() -> None:
    resource, aws = standin(ReplicationGroup)
    left_out = {"transitEncryptionEnabled", "transitEncryptionMode"}
    resource.create(CONTEXT, checked(resource, {name: one for name, one in SHOP.items() if name not in left_out}))
    (call,) = aws.named("elasticache.create_replication_group")
    assert call["TransitEncryptionEnabled"] is False


def test_a_create_waits_until_it_is_available() -> None:
    resource, aws = standin(
        ReplicationGroup,
        elasticache__describe_replication_groups=one_after_another(groups(Status="creating"), groups()),
    )
    id, outputs = resource.create(CONTEXT, checked(resource, SHOP))
    assert (id, outputs["primaryEndpointAddress"], outputs["memberClusters"]) == ("text", "a", ["shop-001", "shop-002"])
    assert len(aws.named("elasticache.describe_replication_groups")) >= 2


def test_one_that_could_not_be_made_says_why_and_is_kept() -> None:
    event = {"SourceIdentifier": "shop", "Message": "the image has Valkey 9.0.0, not 8.1"}
    resource, _ = standin(
        ReplicationGroup,
        elasticache__describe_replication_groups=groups(Status="create-failed"),
        elasticache__describe_events={"Events": [event]},
    )
    with pytest.raises(PartialFailure, match="create-failed: the image has Valkey 9") as failure:
        resource.create(CONTEXT, checked(resource, SHOP))
    assert failure.value.id == "text"


@pytest.mark.parametrize(("asked", "replaces"), [("8.0", True), ("7.2", True), ("8.2", False), ("9.0", False)])
def test_only_an_earlier_version_replaces(asked: str, replaces: bool) -> None:
    resource, _ = standin(ReplicationGroup)
    was = checked(resource, SHOP)
    changes = resource.diff(CONTEXT, State("shop", was, was), was | {"engineVersion": asked}, ())
    assert [(change.path, change.replace) for change in changes] == [("engineVersion", replaces)]


def test_replicas_are_added_before_and_removed_after_all_other_changes() -> None:
    other = {"nodeType": "cache.t4g.small"}
    more = updated(SHOP, SHOP | other | {"numCacheClusters": 3})
    assert [name for name, _ in more] == ["increase_replica_count", "modify_replication_group"]
    assert more[0][1] == {"ReplicationGroupId": "shop", "NewReplicaCount": 2, "ApplyImmediately": True}
    fewer = updated(SHOP, SHOP | other | {"numCacheClusters": 1, "automaticFailoverEnabled": False})
    assert [name for name, _ in fewer] == ["modify_replication_group", "decrease_replica_count"]
    assert "NumCacheClusters" not in fewer[0][1]


def test_backups_that_begin_name_a_node_and_those_that_are_left_out_end() -> None:
    without = {name: value for name, value in SHOP.items() if name != "snapshotRetentionLimit"}
    ((_, begins),) = updated(without, SHOP)
    assert (begins["SnapshotRetentionLimit"], begins["SnapshottingClusterId"]) == (1, "shop-001")
    ((_, ends),) = updated(SHOP, without)
    assert ends["SnapshotRetentionLimit"] == 0
    assert "SnapshottingClusterId" not in ends


def test_the_default_port_is_no_change_where_none_was_asked_for() -> None:
    resource, _ = standin(ReplicationGroup)
    was = checked(resource, {name: value for name, value in SHOP.items() if name != "port"})
    assert resource.diff(CONTEXT, State("shop", was, was | {"port": 6379}), was, ()) == []
    (change,) = resource.diff(CONTEXT, State("shop", was, was | {"port": 6380}), was, ())
    assert (change.path, change.replace) == ("port", True)


def test_while_it_is_busy_its_tags_are_those_that_were_recorded() -> None:
    resource, _ = standin(
        ReplicationGroup,
        elasticache__list_tags_for_resource=refusal("ListTagsForResource", "InvalidReplicationGroupState"),
    )
    known = checked(resource, SHOP)
    found = resource.read(CONTEXT, "shop", known, known)
    assert found is not None
    assert found[0]["tags"] == {"team": "a"}


def test_what_is_being_deleted_is_gone_for_a_refresh() -> None:
    resource, _ = standin(ReplicationGroup, elasticache__describe_replication_groups=groups(Status="deleting"))
    assert resource.read(CONTEXT, "shop", {}, {}) is None


def test_a_deletion_waits_while_it_is_busy_and_until_it_is_gone() -> None:
    busy = refusal("DeleteReplicationGroup", "InvalidReplicationGroupState")
    resource, aws = standin(
        ReplicationGroup,
        elasticache__delete_replication_group=one_after_another(busy, {}),
        elasticache__describe_replication_groups=one_after_another(
            groups(Status="deleting"), {"ReplicationGroups": []}
        ),
    )
    known = checked(resource, SHOP)
    resource.delete(CONTEXT, State("shop", known, known))
    asked = {"ReplicationGroupId": "shop", "FinalSnapshotIdentifier": "last"}
    assert aws.named("elasticache.delete_replication_group") == [asked, asked]
    assert len(aws.named("elasticache.describe_replication_groups")) == 2


def test_a_subnet_group_has_pulumis_description_and_its_vpc() -> None:
    resource, aws = standin(SubnetGroup)
    _, outputs = resource.create(CONTEXT, checked(resource, {"name": "shop", "subnetIds": ["subnet-1"]}))
    (call,) = aws.named("elasticache.create_cache_subnet_group")
    assert call["CacheSubnetGroupDescription"] == "Managed by Pulumi"
    assert outputs["vpcId"] == "text"
