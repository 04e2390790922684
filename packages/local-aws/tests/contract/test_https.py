"""Elastic Load Balancing and ACM: HTTPS listeners, certificates, attributes of the load balancer."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_aws.emulator.acm.authority import Authority
from tests.contract.aws import Aws
from tests.contract.balancing import Balancing, Listener, fixed
from tests.contract.contracts import contract
from tests.contract.stage import Stage, policy

pytestmark = pytest.mark.cloud

GUIDE = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application"
API = "https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference"
ACM = "https://docs.aws.amazon.com/acm/latest"
BALANCER = ("infra/balancer.py",)
MODERN = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
HSTS = "routing.http.response.strict_transport_security.header_value"


@dataclass
class Door:
    """An authority of the suite's own, and clients that trust it alone."""

    aws: Aws
    authority: Authority
    ca: Path
    host: str

    def imported(self, *names: str, again: str = "") -> str:
        """ARN of a certificate for these names (the suite's host), in place of the one `again`."""
        now = time.time()
        made = self.authority.issue(names or (self.host,), "EC_prime256v1", now - 3600, now + 86_400)
        parts = {"Certificate": made.certificate, "CertificateChain": made.chain, "PrivateKey": made.key}
        place = {"CertificateArn": again} if again else {"Tags": self.aws.tags()}
        return str(self.aws.client("acm").import_certificate(**parts, **place)["CertificateArn"])

    def connect(self, listener: Listener, version: ssl.TLSVersion | None = None) -> ssl.SSLSocket:
        """Verified for the suite's host."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if version is not None:
            context.maximum_version = version
        bare = socket.create_connection((address(listener), listener.port), timeout=10)
        return context.wrap_socket(bare, server_hostname=self.host)

    def names(self, listener: Listener) -> list[str]:
        """What the listener's certificate is for."""
        with self.connect(listener) as connection:
            found: Any = connection.getpeercert()
        return [value for _, value in found["subjectAltName"]]

    def answer(self, listener: Listener) -> http.client.HTTPResponse:
        """To a request over TLS; its body has been read."""
        connection = http.client.HTTPSConnection(address(listener), listener.port, timeout=10)
        connection.sock = self.connect(listener)
        connection.request("GET", "/", headers={"Host": self.host})
        response = connection.getresponse()
        response.read()
        connection.close()
        return response


def address(listener: Listener) -> str:
    return listener.url.split("//")[1].split(":")[0]


@pytest.fixture(scope="module")
def door(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Door:
    folder = tmp_path_factory.mktemp("authority")
    return Door(aws, Authority.ensure(folder, time.time()), folder / "ca.pem", f"{aws.named('shop')}.example.com")


@pytest.fixture(scope="module")
def certificate(door: Door) -> str:
    return door.imported()


def secure(certificate: str, policy: str = MODERN) -> dict[str, Any]:
    return {"Protocol": "HTTPS", "SslPolicy": policy, "Certificates": [{"CertificateArn": certificate}]}


@pytest.fixture(scope="module")
def shop(shared_elb: Balancing, certificate: str) -> Listener:
    return shared_elb.listener(fixed(200, "shop"), **secure(certificate))


@contract(
    says="An HTTPS listener serves with the certificate that it was given, and shows its policy and its default "
    "certificate.",
    source=f"{GUIDE}/create-https-listener.html",
    otherwise="users would meet a certificate that their browsers refuse",
    used_by=BALANCER,
)
def test_a_listener_serves_with_its_certificate(door: Door, shop: Listener, elb: Balancing, certificate: str) -> None:
    door.aws.eventually(lambda: door.names(shop) == [door.host], "the certificate")
    (shown,) = elb.api.describe_listeners(ListenerArns=[shop.arn])["Listeners"]
    assert (shown["Protocol"], shown["SslPolicy"]) == ("HTTPS", MODERN)
    assert shown["Certificates"] == [{"CertificateArn": certificate}]
    listed = elb.api.describe_listener_certificates(ListenerArn=shop.arn)["Certificates"]
    assert listed == [{"CertificateArn": certificate, "IsDefault": True}]


@contract(
    says="A policy whose name has TLS13-1-2 takes TLS 1.2 and 1.3, and nothing older.",
    source=f"{GUIDE}/describe-ssl-policies.html",
    otherwise="a door that is said to be secure would speak a protocol that is not",
    used_by=BALANCER,
)
def test_a_policy_takes_the_protocols_of_its_name(door: Door, shop: Listener, elb: Balancing) -> None:
    (policy,) = elb.api.describe_ssl_policies(Names=[MODERN])["SslPolicies"]
    assert sorted(policy["SslProtocols"]) == ["TLSv1.2", "TLSv1.3"]
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with door.connect(shop, version) as connection:
            assert connection.version() == version.name.replace("_", ".")


@contract(
    says="An HTTPS listener without a certificate is a ValidationError; with one that does not exist it is "
    "CertificateNotFound, with one that is not issued yet UnsupportedCertificate, with an unknown policy "
    "SSLPolicyNotFound.",
    source=f"{API}/API_CreateListener.html",
    otherwise="a door would be made that no user can pass, and nothing would say so",
    used_by=BALANCER,
    note="that a pending certificate is UnsupportedCertificate is not on the page: it is what AWS answers",
)
def test_a_listener_that_could_not_serve_is_refused(door: Door, elb: Balancing, certificate: str) -> None:
    never = certificate.rsplit("/", 1)[0] + "/00000000-0000-0000-0000-000000000000"
    for given, code in (
        ({"Protocol": "HTTPS"}, "ValidationError"),
        (secure(never), "CertificateNotFound"),
        (secure(requested(door.aws, f"{door.aws.named('pending')}.example.com")), "UnsupportedCertificate"),
        (secure(certificate, "ELBSecurityPolicy-none"), "SSLPolicyNotFound"),
    ):
        with pytest.raises(ClientError) as refused:
            elb.listener(fixed(200), **given)
        assert refused.value.response["Error"]["Code"] == code


@contract(
    says="ModifyListener makes a listener for HTTP one for HTTPS in place: its ARN, its port and its rules stay.",
    source=f"{API}/API_ModifyListener.html",
    otherwise="a door could only be made secure by replacing it under its users",
    used_by=BALANCER,
)
def test_a_listener_becomes_secure_in_place(door: Door, elb: Balancing, certificate: str) -> None:
    plain = elb.listener(fixed(503))
    rule = elb.rule(plain, fixed(200, "rule"))
    elb.api.modify_listener(ListenerArn=plain.arn, **secure(certificate))
    (shown,) = elb.api.describe_listeners(ListenerArns=[plain.arn])["Listeners"]
    assert (shown["Port"], shown["Protocol"]) == (plain.port, "HTTPS")
    assert rule in [each["RuleArn"] for each in elb.api.describe_rules(ListenerArn=plain.arn)["Rules"]]

    def over_tls() -> bool:
        try:
            return door.answer(plain).status == 200
        except OSError:
            return False

    door.aws.eventually(over_tls, "an answer over TLS")


@contract(
    says="An HTTPS listener becomes one for HTTP in place where the request gives no security policy, and loses its "
    "own; with one it is a ValidationError, although it is the one that the listener has.",
    source=f"{API}/API_ModifyListener.html",
    otherwise="an HTTPS that never opened could be taken back in place, without other test listeners",
    used_by=(*BALANCER, "release_lane/program/hold.py"),
    note="that it is refused is not on the page: it is what AWS answers (hashicorp/terraform-provider-aws#1851, and "
    "#10961 of a later version), and pulumi-aws sends the recorded one",
)
def test_a_listener_for_http_takes_no_security_policy(elb: Balancing, certificate: str) -> None:
    one = elb.listener(fixed(503), **secure(certificate))
    with pytest.raises(ClientError, match="SSL policy cannot be specifed") as refused:
        elb.api.modify_listener(ListenerArn=one.arn, Protocol="HTTP", SslPolicy=MODERN)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    elb.api.modify_listener(ListenerArn=one.arn, Protocol="HTTP")
    (shown,) = elb.api.describe_listeners(ListenerArns=[one.arn])["Listeners"]
    assert (shown["Protocol"], shown.get("SslPolicy")) == ("HTTP", None)


@contract(
    says="A redirect with protocol, port and status alone keeps host, path and query.",
    source=f"{GUIDE}/rule-action-types.html#redirect-actions",
    otherwise="users who come by HTTP would end on another page than the one they asked for",
    used_by=BALANCER,
)
def test_a_redirect_keeps_host_path_and_query(door: Door, elb: Balancing) -> None:
    config = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    plain = elb.listener({"Type": "redirect", "RedirectConfig": config})

    def location() -> tuple[int, str | None]:
        connection = http.client.HTTPConnection(address(plain), plain.port, timeout=10)
        connection.request("GET", "/cart?item=1", headers={"Host": door.host})
        response = connection.getresponse()
        response.read()
        connection.close()
        return response.status, response.getheader("Location")

    wanted = (301, f"https://{door.host}:443/cart?item=1")
    door.aws.eventually(lambda: location() == wanted, "the redirect")


@contract(
    says="With the attribute for Strict-Transport-Security a listener puts this header into all its answers.",
    source=f"{GUIDE}/header-modification.html",
    otherwise="browsers would go on asking by HTTP first",
    used_by=BALANCER,
    note="also into those that the load balancer gives by itself: the page says all responses",
)
def test_a_listener_adds_the_header_that_it_was_given(door: Door, shop: Listener, elb: Balancing) -> None:
    value = "max-age=31536000; includeSubDomains"
    change = {"ListenerArn": shop.arn, "Attributes": [{"Key": HSTS, "Value": value}]}
    elb.api.modify_listener_attributes(**change)
    shown = elb.api.describe_listener_attributes(ListenerArn=shop.arn)["Attributes"]
    assert {"Key": HSTS, "Value": value} in shown
    door.aws.eventually(lambda: door.answer(shop).getheader("Strict-Transport-Security") == value, "the header")


@contract(
    says="A certificate that is imported anew keeps its ARN, and listeners that have it serve with the new one.",
    source=f"{ACM}/userguide/import-reimport.html",
    otherwise="a certificate could not be renewed without a change of the listener",
    used_by=BALANCER,
)
def test_a_certificate_is_imported_anew(door: Door, elb: Balancing) -> None:
    certificate = door.imported()
    listener = elb.listener(fixed(200), **secure(certificate))
    names = (door.host, f"www.{door.host}")
    assert door.imported(*names, again=certificate) == certificate
    door.aws.eventually(lambda: door.names(listener) == list(names), "the new certificate")


@contract(
    says="A certificate that a load balancer uses names it under InUseBy and cannot be deleted: "
    "ResourceInUseException.",
    source=f"{ACM}/APIReference/API_DeleteCertificate.html",
    otherwise="the certificate of a live door could be removed by mistake",
    used_by=BALANCER,
)
def test_a_certificate_in_use_stays(door: Door, shop: Listener, stage: Stage, certificate: str) -> None:
    acm, balancer = door.aws.client("acm"), stage.balancer["LoadBalancerArn"]
    assert shop.arn

    def used() -> bool:
        return balancer in acm.describe_certificate(CertificateArn=certificate)["Certificate"]["InUseBy"]

    door.aws.eventually(used, "the certificate to be in use")
    with pytest.raises(acm.exceptions.ResourceInUseException):
        acm.delete_certificate(CertificateArn=certificate)


@contract(
    says="A request by DNS is PENDING_VALIDATION, and soon names a CNAME record for each of its domains; a wildcard's "
    "is that of its parent.",
    source=f"{ACM}/userguide/dns-validation.html",
    otherwise="the program could not make the records that prove the domain, or would make one of them twice",
    used_by=BALANCER,
)
def test_a_request_names_the_records_that_it_waits_for(door: Door) -> None:
    acm, host = door.aws.client("acm"), f"{door.aws.named('asked')}.example.com"
    arn = requested(door.aws, host, f"*.{host}")

    def options() -> list[Any]:
        shown = acm.describe_certificate(CertificateArn=arn)["Certificate"]
        found = shown.get("DomainValidationOptions") or []
        return found if all("ResourceRecord" in one for one in found) else []

    found = door.aws.eventually(options, "the records")
    assert {one["DomainName"] for one in found} == {host, f"*.{host}"}
    assert len({json.dumps(one["ResourceRecord"], sort_keys=True) for one in found}) == 1
    assert {one["ResourceRecord"]["Type"] for one in found} == {"CNAME"}
    assert found[0]["ResourceRecord"]["Name"].endswith(f".{host}.")


def requested(aws: Aws, *names: str) -> str:
    more = {"SubjectAlternativeNames": list(names[1:])} if names[1:] else {}
    wanted = {"DomainName": names[0], "ValidationMethod": "DNS", "Tags": aws.tags(), **more}
    return str(aws.client("acm").request_certificate(**wanted)["CertificateArn"])


@contract(
    says="With deletion protection a load balancer cannot be deleted: OperationNotPermitted.",
    source=f"{GUIDE}/application-load-balancers.html#deletion-protection",
    otherwise="one mistaken command could take production's door away",
    used_by=BALANCER,
)
def test_a_protected_load_balancer_is_not_deleted(elb: Balancing, stage: Stage) -> None:
    balancer = {"LoadBalancerArn": stage.balancer["LoadBalancerArn"]}

    def protect(value: str) -> None:
        attribute = {"Key": "deletion_protection.enabled", "Value": value}
        elb.api.modify_load_balancer_attributes(**balancer, Attributes=[attribute])

    protect("true")
    try:
        with pytest.raises(elb.api.exceptions.OperationNotPermittedException):
            elb.api.delete_load_balancer(**balancer)
    finally:
        protect("false")


@pytest.fixture
def bucket(aws: Aws) -> str:
    s3, name = aws.client("s3"), aws.named("access-logs")
    place: dict[str, Any] = {"CreateBucketConfiguration": {"LocationConstraint": aws.where.region}}
    s3.create_bucket(Bucket=name, **(place if aws.where.region != "us-east-1" else {}))
    return name


@contract(
    says="Access logs can only go to a bucket whose policy lets Elastic Load Balancing write below the account's "
    "folder: otherwise InvalidConfigurationRequest; AWS writes a test object there when they are switched on.",
    source=f"{GUIDE}/enable-access-logging.html",
    otherwise="an environment would be said to keep access logs, and none would be written",
    used_by=BALANCER,
    note="the page names the policy and the test object, not the error",
)
def test_access_logs_need_a_bucket_that_takes_them(aws: Aws, elb: Balancing, stage: Stage, bucket: str) -> None:
    s3, balancer = aws.client("s3"), stage.balancer["LoadBalancerArn"]

    def log(**values: str) -> None:
        attributes = [{"Key": f"access_logs.s3.{key}", "Value": value} for key, value in values.items()]
        elb.api.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=attributes)

    with pytest.raises(ClientError) as refused:
        log(enabled="true", bucket=bucket, prefix="shop")
    assert refused.value.response["Error"]["Code"] == "InvalidConfigurationRequest"
    place = f"shop/AWSLogs/{aws.where.account}"
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/{place}/*",
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(allow))

    def permitted() -> bool:
        try:
            log(enabled="true", bucket=bucket, prefix="shop")
        except ClientError:
            return False
        return True

    aws.eventually(permitted, "the policy to be in force")
    try:
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=place)["Contents"]
        assert f"{place}/ELBAccessLogTestFile" in [each["Key"] for each in listed]
    finally:
        log(enabled="false")
