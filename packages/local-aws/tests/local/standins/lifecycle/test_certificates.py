"""A certificate on its way from the request to a listener, over the engine's protocol, on the emulator."""

from __future__ import annotations

from typing import Any

import pytest
from tests.kit.serving import Client, Refusal
from tests.local.standins.lifecycle.engine import Managed
from tests.local.standins.lifecycle.service_cases import listener
from tests.local.standins.lifecycle.world import ZONE, World

pytestmark = pytest.mark.cloud

CERTIFICATE, RECORD = "aws:acm/certificate:Certificate", "aws:route53/record:Record"
VALIDATION, LISTENER = "aws:acm/certificateValidation:CertificateValidation", "aws:lb/listener:Listener"


def requested(client: Client, world: World) -> Managed:
    one = Managed(client, CERTIFICATE)
    one.up({"domainName": f"{world.name()}.test", "validationMethod": "DNS", "keyAlgorithm": "EC_prime256v1"})
    return one


def record_of(certificate: Managed) -> dict[str, Any]:
    (option,) = certificate.outputs["domainValidationOptions"]
    return {
        "zoneId": ZONE,
        "name": option["resourceRecordName"],
        "type": option["resourceRecordType"],
        "ttl": 60,
        "records": [option["resourceRecordValue"]],
        "allowOverwrite": True,
    }


def test_a_certificate_is_issued_once_its_record_is_there(client: Client, world: World) -> None:
    certificate = requested(client, world)
    assert certificate.outputs["status"] == "PENDING_VALIDATION"
    record, validation = Managed(client, RECORD), Managed(client, VALIDATION)
    record.up(record_of(certificate))
    wanted = {"certificateArn": certificate.id, "validationRecordFqdns": [record.outputs["fqdn"]]}
    assert validation.up(wanted) == "create"
    assert validation.drift() == {}
    assert validation.up(wanted) == "same"
    certificate.refresh()
    assert (certificate.outputs["status"], certificate.outputs["type"]) == ("ISSUED", "AMAZON_ISSUED")
    assert certificate.outputs["notAfter"] > certificate.outputs["notBefore"]
    validation.destroy()
    certificate.refresh()
    assert certificate.outputs["status"] == "ISSUED"
    certificate.destroy()


def test_a_validation_of_another_certificate_replaces_it(client: Client, world: World) -> None:
    one = Managed(client, VALIDATION)
    assert one.up({"certificateArn": world.certificates[0]}) == "create"
    assert one.up({"certificateArn": world.certificates[1]}) == "replace"


def test_a_validation_whose_records_are_others_is_refused(client: Client, world: World) -> None:
    certificate = requested(client, world)
    with pytest.raises(Refusal, match=r"missing .* DNS validation record: _"):
        Managed(client, VALIDATION).up({"certificateArn": certificate.id, "validationRecordFqdns": ["_other.test"]})


def test_a_validation_is_gone_with_its_certificate_and_cannot_be_imported(client: Client, world: World) -> None:
    certificate, record, validation = requested(client, world), Managed(client, RECORD), Managed(client, VALIDATION)
    record.up(record_of(certificate))
    validation.up({"certificateArn": certificate.id})
    certificate.destroy()
    assert validation.refresh() == "gone"
    with pytest.raises(Refusal, match="cannot be imported"):
        validation.adopt("0001-01-01 00:00:00 +0000 UTC")


def test_a_listener_becomes_one_for_https_but_not_back(client: Client, world: World) -> None:
    """As with pulumi-aws, which sends the recorded policy along, and AWS refuses it."""
    one, plain = Managed(client, LISTENER), listener(world)
    secure = plain | {"protocol": "HTTPS", "certificateArn": world.certificates[0]}
    assert one.up(plain) == "create"
    assert one.up(secure) == "update"
    assert one.drift() == {}
    assert one.outputs["sslPolicy"] == "ELBSecurityPolicy-2016-08"
    with pytest.raises(Refusal, match="An SSL policy cannot be specifed for HTTP listeners"):
        one.up(plain)
    one.destroy()
    assert Managed(client, LISTENER).up(plain) == "create"


def test_an_alias_of_a_load_balancer_is_made_and_found(client: Client, world: World) -> None:
    alias = {"name": "lb.aws.test", "zoneId": "Z35SXDOTRQ7X7K", "evaluateTargetHealth": True}
    one = Managed(client, RECORD)
    good = {"zoneId": ZONE, "name": f"{world.name()}.test", "type": "A", "aliases": [alias]}
    assert one.up(good) == "create"
    assert one.drift() == {}
    assert one.up(good | {"aliases": [alias | {"evaluateTargetHealth": False}]}) == "update"
    assert one.drift() == {}
    one.destroy()


def test_a_record_that_is_there_is_taken_over_only_when_that_is_asked_for(client: Client, world: World) -> None:
    good = {"zoneId": ZONE, "name": f"{world.name()}.test", "type": "CNAME", "ttl": 60, "records": ["one.test."]}
    Managed(client, RECORD).up(good)
    with pytest.raises(Refusal, match="already exists"):
        Managed(client, RECORD).up(good | {"records": ["two.test."]})
    over = Managed(client, RECORD)
    assert over.up(good | {"records": ["two.test."], "allowOverwrite": True}) == "create"
    assert over.drift() == {}
    over.destroy()


def test_a_name_within_the_zone_is_completed(client: Client, world: World) -> None:
    name = world.name()
    one = Managed(client, RECORD)
    one.up({"zoneId": ZONE, "name": name, "type": "CNAME", "ttl": 60, "records": ["one.test."]})
    assert one.outputs["fqdn"] == f"{name}.test"
    assert one.drift() == {}
    one.destroy()
