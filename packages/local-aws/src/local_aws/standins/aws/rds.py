"""Databases of RDS: PostgreSQL instances whose password RDS keeps, and the subnets that they may be in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from provider_kit import Context, Props, UserError
from typing_extensions import override

from local_aws.standins.aws.base import REGION, TAGS, AutoName, TaggedByArn, tag_map, tags_at_creation
from local_aws.standins.aws.door import unless_gone
from local_aws.standins.aws.waiting import until, while_in_use
from local_aws.standins.fields import from_api, to_api
from local_aws.standins.schema import Prop, upstream

AVAILABLE_WITHIN, GONE_WITHIN = 2400.0, 3600.0
"""Seconds, as the provider waits."""
RELEASED_WITHIN = 60.0
RESOURCE_ID = re.compile(r"db-[A-Z0-9]{26}")


class SubnetGroup(TaggedByArn):
    """Its id is its name."""

    service = "rds"
    token = "aws:rds/subnetGroup:SubnetGroup"
    source = upstream("rds/subnetgroup", "rds/subnet_group")
    props = (
        {
            "name": Prop("DBSubnetGroupName", replace=True),
            "description": Prop("DBSubnetGroupDescription", default="Managed by Pulumi"),
            "subnetIds": Prop("SubnetIds", required=True, unordered=True),
        }
        | TAGS
        | REGION
    )
    outputs = frozenset({"arn", "supportedNetworkTypes", "vpcId"})
    autoname = AutoName(longest=255)

    @override
    def make(self, api: Any, new: Props) -> str:
        answer = api.create_db_subnet_group(**to_api(self.props, new), **tags_at_creation(new))
        return str(answer["DBSubnetGroup"]["DBSubnetGroupName"])

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        if to_api(self.props, old) != to_api(self.props, new):
            api.modify_db_subnet_group(**to_api(self.props, new))

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        answer = unless_gone(api.describe_db_subnet_groups, DBSubnetGroupName=id)
        if answer is None:
            return None
        (found,) = answer["DBSubnetGroups"]
        return from_api(self.props, found) | {
            "arn": found["DBSubnetGroupArn"],
            "subnetIds": [each["SubnetIdentifier"] for each in found["Subnets"]],
            "supportedNetworkTypes": found.get("SupportedNetworkTypes") or [],
            "vpcId": found["VpcId"],
            "tags": tag_map(api.list_tags_for_resource(ResourceName=found["DBSubnetGroupArn"]).get("TagList")),
        }

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        in_use = ("InvalidDBSubnetGroupStateFault",)
        while_in_use(ctx, RELEASED_WITHIN, in_use, api.delete_db_subnet_group, DBSubnetGroupName=id)


class Instance(TaggedByArn):
    """A PostgreSQL instance. Its id is the resource id, which stays; an import takes its identifier."""

    service = "rds"
    token = "aws:rds/instance:Instance"
    source = upstream("rds/instance", "rds/instance")
    props = (
        {
            "identifier": Prop("DBInstanceIdentifier", required=True, departs="required: no name is made up here"),
            "instanceClass": Prop("DBInstanceClass", required=True),
            "engine": Prop("Engine", computed=True, replace=True),
            "engineVersion": Prop(
                "EngineVersion", computed=True, departs="the major version alone where none is asked for"
            ),
            "dbName": Prop("DBName", computed=True, replace=True),
            "username": Prop("MasterUsername", computed=True, replace=True),
            "manageMasterUserPassword": Prop(
                "ManageMasterUserPassword", departs="there has to be one, and it is true; an import gives it"
            ),
            "allocatedStorage": Prop("AllocatedStorage", computed=True),
            "storageType": Prop("StorageType", computed=True),
            "storageEncrypted": Prop("StorageEncrypted", replace=True, unset=False),
            "dbSubnetGroupName": Prop("DBSubnetGroupName", computed=True),
            "vpcSecurityGroupIds": Prop("VpcSecurityGroupIds", computed=True, unordered=True),
            "publiclyAccessible": Prop("PubliclyAccessible", default=False),
            "port": Prop("Port", computed=True),
            "multiAz": Prop("MultiAZ", computed=True),
            "backupRetentionPeriod": Prop("BackupRetentionPeriod", computed=True),
            "copyTagsToSnapshot": Prop("CopyTagsToSnapshot", default=False),
            "autoMinorVersionUpgrade": Prop("AutoMinorVersionUpgrade", default=True),
            "allowMajorVersionUpgrade": Prop(unread=True),
            "deletionProtection": Prop("DeletionProtection", unset=False),
            "deleteAutomatedBackups": Prop(default=True, unread=True),
            "skipFinalSnapshot": Prop(default=False, unread=True),
            "finalSnapshotIdentifier": Prop(unread=True),
            "applyImmediately": Prop(default=False, unread=True),
        }
        | TAGS
        | REGION
    )
    outputs = frozenset(
        {
            "address",
            "arn",
            "endpoint",
            "engineVersionActual",
            "hostedZoneId",
            "masterUserSecrets",
            "resourceId",
            "status",
        }
    )
    delete_before_replace = True
    """As of the provider where a name was given: two of one name cannot be there at once."""
    not_given = frozenset({"latestRestorableTime", "listenerEndpoints", "replicas", "upgradeRolloutOrder"})

    @override
    def wrong(self, values: Props) -> Iterator[tuple[str, str]]:
        if values.get("manageMasterUserPassword") in (None, False):
            yield "manageMasterUserPassword", "should be true here: a password that is given would be in the state"

    @override
    def make(self, api: Any, new: Props) -> str:
        given = {"BackupRetentionPeriod": 0, **to_api(self.props, new)}
        answer = api.create_db_instance(**given, **tags_at_creation(new))
        return str(answer["DBInstance"]["DbiResourceId"])

    @override
    def ready(self, ctx: Context, api: Any, id: str, new: Props) -> None:
        until(ctx, f"database {new['identifier']} available", AVAILABLE_WITHIN, lambda: self._available(api, id))

    def _available(self, api: Any, id: str) -> bool:
        found = _described(api, id) or {}
        if found.get("DBInstanceStatus") == "failed":
            said = [each.get("Message", "") for each in found.get("StatusInfos") or ()]
            raise UserError(f"its status is failed: {'; '.join(said) or 'AWS gives no reason'}")
        return bool(found.get("DBInstanceStatus") == "available")

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        found = _described(api, id)
        if found is None:
            return None
        endpoint, secret = found.get("Endpoint") or {}, found.get("MasterUserSecret")
        unseen = {} if "identifier" in known else {"skipFinalSnapshot": True}  # as the provider imports it
        return (
            from_api(self.props, found)
            | unseen
            | {
                "id": found["DbiResourceId"],
                "arn": found["DBInstanceArn"],
                "resourceId": found["DbiResourceId"],
                "status": found["DBInstanceStatus"],
                "engineVersion": _as_asked(known.get("engineVersion"), found["EngineVersion"]),
                "engineVersionActual": found["EngineVersion"],
                "address": endpoint.get("Address"),
                "port": endpoint.get("Port"),
                "hostedZoneId": endpoint.get("HostedZoneId"),
                "endpoint": f"{endpoint['Address']}:{endpoint['Port']}" if endpoint else None,
                "manageMasterUserPassword": True if secret else None,
                "masterUserSecrets": [_secret(secret)] if secret else [],
                "dbSubnetGroupName": (found.get("DBSubnetGroup") or {}).get("DBSubnetGroupName"),
                "vpcSecurityGroupIds": [each["VpcSecurityGroupId"] for each in found.get("VpcSecurityGroups") or ()],
                "tags": tag_map(found.get("TagList")),
            }
        )

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        before, after = to_api(self.props, old), to_api(self.props, new)
        changed = {name: value for name, value in after.items() if value != before.get(name)}
        if before.get("DeletionProtection") and "DeletionProtection" not in after:
            changed["DeletionProtection"] = False
        if not changed:
            return
        for name, spelled in (("DBInstanceIdentifier", "NewDBInstanceIdentifier"), ("Port", "DBPortNumber")):
            if name in changed:
                changed[spelled] = changed.pop(name)
        if "EngineVersion" in changed and "allowMajorVersionUpgrade" in new:
            changed["AllowMajorVersionUpgrade"] = new["allowMajorVersionUpgrade"]
        api.modify_db_instance(
            DBInstanceIdentifier=old["identifier"], ApplyImmediately=bool(new.get("applyImmediately")), **changed
        )

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        skips, last = known.get("skipFinalSnapshot"), known.get("finalSnapshotIdentifier")
        if not skips and not last:
            raise UserError("finalSnapshotIdentifier is required when skipFinalSnapshot is false")
        unless_gone(
            api.delete_db_instance,
            DBInstanceIdentifier=known["identifier"],
            DeleteAutomatedBackups=known.get("deleteAutomatedBackups") is not False,
            SkipFinalSnapshot=bool(skips),
            **({} if skips else {"FinalDBSnapshotIdentifier": last}),
        )
        until(ctx, f"database {known['identifier']} gone", GONE_WITHIN, lambda: _described(api, id) is None)


def _described(api: Any, id: str) -> dict[str, Any] | None:
    """By its resource id, or by its identifier, as an import gives it."""
    if not RESOURCE_ID.fullmatch(id):
        answer = unless_gone(api.describe_db_instances, DBInstanceIdentifier=id)
    else:
        answer = api.describe_db_instances(Filters=[{"Name": "dbi-resource-id", "Values": [id]}])
    return next(iter((answer or {}).get("DBInstances", ())), None)


def _as_asked(asked: Any, actual: str) -> str:
    """`17` stays what was asked for while the server is a 17.6, and is what an import asks for."""
    wanted = str(asked or actual.partition(".")[0])
    return wanted if f"{actual}.".startswith(f"{wanted}.") else actual


def _secret(found: dict[str, Any]) -> Props:
    return {
        "kmsKeyId": found.get("KmsKeyId") or "",
        "secretArn": found["SecretArn"],
        "secretStatus": found["SecretStatus"],
    }
