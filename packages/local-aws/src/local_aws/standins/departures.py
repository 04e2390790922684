"""Where a resource's life through a stand-in is knowingly another one than through the real provider.

Both were led through the same steps by machine: tests/local/standins/lifecycle/test_like_the_real_provider.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Departure:
    """All but `why` are regular expressions, for the whole of each. `why` goes into docs/standins.md.

    Aspects: `op` (what is done), `kept` (after a failed create), `changed` and `replaces` (of the diff), or an output's
    name.
    """

    case: str
    life: str
    step: str
    aspect: str
    why: str

    def of(self, case: str, life: str) -> bool:
        return bool(re.fullmatch(self.case, case)) and bool(re.fullmatch(self.life, life))

    def at(self, step: str, aspect: str) -> bool:
        return bool(re.fullmatch(self.step, step)) and bool(re.fullmatch(self.aspect, aspect))


RULES = "SecurityGroup(In|E)gressRule(-group)?"
COMPLETED = "completed|refresh after that|no change after that"

DEPARTURES: tuple[Departure, ...] = (
    Departure(
        "Vpc|InternetGateway|RouteTable|VpcEndpoint-interface|LogGroup|Topic|Cluster|LoadBalancer|Certificate",
        "half_made",
        COMPLETED,
        ".*",
        "after a create that failed half-way the provider has recorded what it planned, so the next update changes "
        "nothing and records what is there; the update after that one completes it. Here the next one completes it",
    ),
    Departure(
        "Vpc|Subnet|InternetGateway|RouteTable|Eip|NatGateway|VpcEndpoint.*|SecurityGroup|Role|RolePolicy|LogGroup"
        "|MetricAlarm.*|Topic|Cluster|Service|LoadBalancer|TargetGroup|Listener.*|Certificate|Record|Repository"
        "|Parameter|SubnetGroup.*|Instance|ReplicationGroup.*",
        "half_changed",
        "changed again|refresh after that|no change after that",
        ".*",
        "the same after an update that failed half-way: the next one records what is there, the one after that does "
        "what is missing. Here the next one does it",
    ),
    Departure(
        "Service",
        "half_made",
        "completed",
        "changed",
        "the record of a half-made service has no `triggers`, so the provider's diff names them",
    ),
    Departure(
        "ReplicationGroup.*",
        "half_made",
        "completed",
        "memberClusters",
        "the provider's record of a half-made one has no `memberClusters` until a refresh",
    ),
    Departure(
        "RolePolicyAttachment",
        "half_made",
        COMPLETED,
        "op",
        "if the read after its creation fails, the provider refuses every later update (`doesn't support update`) "
        "until a refresh; here the next update completes it",
    ),
    Departure(
        RULES,
        "half_made",
        "half made|completed",
        "op",
        "the provider creates one in a single call; here it is read afterwards, and that can fail",
    ),
    Departure(
        RULES,
        "ends",
        "taken away|made anew",
        "op",
        "the provider cannot refresh a rule that somebody deleted (hashicorp/terraform-provider-aws#45303); the next "
        "update replaces it. Here the refresh drops it, and the next update creates it",
    ),
    Departure(
        "SecurityGroup(In|E)gressRule-group",
        "changes|half_changed",
        "back|no change after changes|tags put right",
        "description",
        "ministack keeps a description that a change leaves out; the provider records what it asked for, the stand-in "
        "what it reads",
    ),
    Departure(
        "RouteTableAssociation",
        "ends",
        "ask for routeTableId",
        "replaces",
        "another route table is no replacement to the provider; see the table above",
    ),
    Departure(
        "MetricAlarm.*|Cluster|Listener.*",
        "ends",
        "destroy again",
        "op",
        "the provider fails to delete what somebody has deleted already; here that is done",
    ),
    Departure(
        "TaskDefinition",
        ".*",
        ".*",
        "containerDefinitions",
        "the provider records the definition with all that ECS filled in, the stand-in as it was given; for neither is "
        "that a change",
    ),
    Departure(
        "TaskDefinition",
        "ends",
        "ask for networkMode",
        "changed",
        "what ECS fills in depends on `networkMode`, so the provider's diff of it names `containerDefinitions` as well",
    ),
    Departure(
        "Vpc|Subnet|LogGroup|MetricAlarm|TaskDefinition|Instance|ReplicationGroup.*",
        "after_refresh",
        "left out after a refresh",
        ".*",
        "a property with a default that was given a value and is left out again keeps the value with the provider, if "
        "a refresh came in between and no default was in force (the bridge's doing, so of all types). Here it becomes "
        "the default again",
    ),
    Departure(
        "Service",
        "changes",
        "imported",
        "changed",
        "an import by the provider records `family:revision` and no `waitForSteadyState`, so the first diff names both",
    ),
    Departure(
        "Parameter",
        "changes",
        "imported",
        "changed",
        "an import by the provider records `value` in place of `insecureValue`, so the first diff names it",
    ),
    Departure(
        "Instance",
        "changes",
        "imported",
        "changed",
        "an import by the provider records the whole `engineVersion` and no `manageMasterUserPassword`, so the first "
        "diff names both",
    ),
    Departure(
        "Certificate",
        "ends",
        "(ask for|replace by) domainName",
        "changed",
        "`subjectAlternativeNames` follow from `domainName`, so the provider's diff of it names both",
    ),
)
