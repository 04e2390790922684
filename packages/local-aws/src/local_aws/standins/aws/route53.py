"""Records of Route 53's hosted zones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from provider_kit import Context, Props, UserError
from typing_extensions import override

from local_aws.standins.aws.base import AwsResource
from local_aws.standins.aws.door import unless_gone
from local_aws.standins.schema import Prop, Table, upstream

TYPES = ("A", "AAAA", "CNAME")
ALIAS: Table = {
    "name": Prop("DNSName", required=True),
    "zoneId": Prop("HostedZoneId", required=True),
    "evaluateTargetHealth": Prop("EvaluateTargetHealth", required=True),
}


class Record(AwsResource):
    """Its id is `<zone>_<name>_<type>`. Route 53 knows no region and no tags of records."""

    token = "aws:route53/record:Record"
    service = "route53"
    source = upstream("route53/record", "route53/record")
    props: ClassVar[Table] = {
        "zoneId": Prop("HostedZoneId", replace=True, required=True),
        "name": Prop("Name", replace=True, required=True),
        "type": Prop("Type", replace=True, required=True),
        "ttl": Prop("TTL"),
        "records": Prop(unordered=True),
        "aliases": Prop(fields=ALIAS),
        "allowOverwrite": Prop(computed=True, unread=True),
    }
    outputs = frozenset({"fqdn"})

    @override
    def check(self, ctx: Context, inputs: Props, old: Props | None) -> tuple[Props, list[tuple[str, str]]]:
        values, wrong = super().check(ctx, inputs, old)
        if not wrong and isinstance(values["name"], str):
            values["name"] = _plain(values["name"])  # ACM's names end with a dot, pulumi-aws's do not
        return values, wrong

    @override
    def wrong(self, values: Props) -> Iterator[tuple[str, str]]:
        kind = values.get("type")
        if isinstance(kind, str) and kind not in TYPES:
            yield "type", f"is not served by the local cloud's stand-in for pulumi-aws; it takes: {', '.join(TYPES)}"
        if ("records" in values) == ("aliases" in values):
            yield "records", "exactly one of records and aliases is needed"

    @override
    def make(self, api: Any, new: Props) -> str:
        name = self._full_name(api, new)
        action = "UPSERT" if new.get("allowOverwrite") else "CREATE"
        self._change(api, new["zoneId"], action, _record_set(new, name))
        return f"{new['zoneId']}_{new['name']}_{new['type']}"

    def _full_name(self, api: Any, new: Props) -> str:
        """A name may be given without its zone's."""
        zone = _plain(api.get_hosted_zone(Id=new["zoneId"])["HostedZone"]["Name"])
        name = str(new["name"])
        return name if name.endswith(zone) else f"{name}.{zone}".lstrip(".")

    @staticmethod
    def _change(api: Any, zone: str, action: str, record: Mapping[str, Any]) -> None:
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
        api.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        if old != new:
            self._change(api, new["zoneId"], "UPSERT", _record_set(new, self._full_name(api, new)))

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        zone, name, kind = _parts(id)
        record = self._live(api, zone, name, kind)
        if record is None:
            return None
        alias = record.get("AliasTarget")
        values = {"records": [one["Value"] for one in record.get("ResourceRecords") or ()], "ttl": record.get("TTL")}
        return {
            "zoneId": zone,
            "name": name,
            "type": kind,
            "fqdn": _plain(record["Name"]),
            **({"aliases": [_alias(alias)]} if alias else values),
        }

    def _live(self, api: Any, zone: str, name: str, kind: str) -> dict[str, Any] | None:
        holder = unless_gone(api.get_hosted_zone, Id=zone)
        if not holder:
            return None
        full = self._full_name(api, {"zoneId": zone, "name": name})
        start = {"StartRecordName": full, "StartRecordType": kind, "MaxItems": "1"}
        found = api.list_resource_record_sets(HostedZoneId=zone, **start)["ResourceRecordSets"]
        same = [one for one in found if (_plain(one["Name"]), one["Type"]) == (full, kind)]
        return dict(same[0]) if same else None

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        zone, name, kind = _parts(id)
        record = self._live(api, zone, name, kind)
        if record is not None:
            self._change(api, zone, "DELETE", record)


def _parts(id: str) -> Sequence[str]:
    """Zone, name and type. A name may hold underscores."""
    zone, _, rest = id.partition("_")
    name, _, kind = rest.rpartition("_")
    if not name:
        raise UserError(f"{id} should be <zone>_<name>_<type>")
    return zone, name, kind


def _record_set(new: Props, name: str) -> dict[str, Any]:
    record: dict[str, Any] = {"Name": name, "Type": new["type"]}
    if aliases := new.get("aliases"):
        target = {prop.api: aliases[0][field] for field, prop in ALIAS.items()}
        return {**record, "AliasTarget": target}
    values = [{"Value": value} for value in new["records"]]
    return {**record, "ResourceRecords": values, **({"TTL": new["ttl"]} if new.get("ttl") is not None else {})}


def _alias(target: Mapping[str, Any]) -> Props:
    return {
        "name": _plain(target["DNSName"]),
        "zoneId": target["HostedZoneId"],
        "evaluateTargetHealth": target["EvaluateTargetHealth"],
    }


def _plain(name: str) -> str:
    return name.rstrip(".").lower()
