"""HTTPS listeners under real traffic: a real HAProxy, certificates of the local cloud's authority. No Docker."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import ssl
import stat
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from local_aws.emulator.acm.authority import CERTIFICATE
from local_aws.emulator.elbv2.service import Refused
from tests.local.emulator.edge.cloud import Cloud, Target, eventually, fixed, running, weighted
from tests.local.emulator.edge.load import Running

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.skipif(not shutil.which("haproxy", path="/usr/sbin:/usr/bin"), reason="HAProxy is not installed"),
]

# below the ports that the kernel gives out, and different for each run, as several may share a machine
PORT = 10_000 + os.getpid() % 900 * 10
PLAIN, TARGET_PORT = PORT + 1, PORT + 9
SHOP, OTHER = "shop.test", "www.other.test"
HSTS = "routing.http.response.strict_transport_security.header_value"
TO_HTTPS: dict[str, Any] = {
    "Type": "redirect",
    "RedirectConfig": {"Protocol": "HTTPS", "Port": str(PORT), "StatusCode": "HTTP_301"},
}
MODERN = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with running(tmp_path) as cloud:
        yield cloud


class Shop:
    """A load balancer with a listener on PORT for shop.test."""

    def __init__(self, cloud: Cloud, policy: str = MODERN, *actions: Any) -> None:
        self.cloud = cloud
        self.balancer, self.address = cloud.load_balancer()
        self.certificate = cloud.certificate(SHOP)
        self.listener = cloud.listener(
            self.balancer, PORT, *actions, Protocol="HTTPS", SslPolicy=policy, **certificates(self.certificate)
        )

    def trust(self) -> ssl.SSLContext:
        """Of a client that trusts this cloud's authority alone."""
        return ssl.create_default_context(cafile=str(self.cloud.authority / CERTIFICATE))

    def connect(self, name: str = SHOP, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        bare = socket.create_connection((self.address, PORT), timeout=20)
        return (context or self.trust()).wrap_socket(bare, server_hostname=name)

    def names(self, name: str = SHOP) -> list[str]:
        """Of the certificate that a client gets that asks for `name` and trusts the authority, whatever the name."""
        context = self.trust()
        context.check_hostname = False
        with self.connect(name, context) as connection:
            found: Any = connection.getpeercert()
        return [value for _, value in found["subjectAltName"]]

    def answer(self) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPSConnection(self.address, PORT, timeout=20)
        connection.sock = self.connect()
        connection.request("GET", "/", headers={"Host": SHOP})
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        body = response.read().decode()
        connection.close()
        return response.status, headers, body


def certificates(arn: str) -> dict[str, Any]:
    return {"Certificates": [{"CertificateArn": arn}]}


def set_hsts(cloud: Cloud, listener: str, value: str) -> None:
    cloud.client.modify_listener_attributes(ListenerArn=listener, Attributes=[{"Key": HSTS, "Value": value}])


# ---------------------------------------------------------------- certificates


def test_a_client_that_trusts_the_authority_verifies_the_name_and_no_other(cloud: Cloud) -> None:
    shop = Shop(cloud)
    shop.connect().close()
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shop.connect(OTHER)


def test_a_client_that_does_not_know_the_authority_does_not_trust_it(cloud: Cloud) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"unable to get local issuer|self.signed certificate"):
        Shop(cloud).connect(context=ssl.create_default_context())


def test_the_strictest_checks_of_python_find_no_fault_with_a_certificate(cloud: Cloud) -> None:
    shop = Shop(cloud)
    context = shop.trust()
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    shop.connect(context=context).close()


def test_the_name_that_a_client_asks_for_chooses_the_certificate(cloud: Cloud) -> None:
    shop = Shop(cloud)
    more = certificates(cloud.certificate(OTHER, "*.other.test"))
    cloud.client.add_listener_certificates(ListenerArn=shop.listener, **more)
    assert (shop.names(OTHER), shop.names("a.other.test")) == ([OTHER, "*.other.test"],) * 2
    assert (shop.names(SHOP), shop.names("unknown.test")) == ([SHOP],) * 2


@pytest.mark.parametrize("algorithm", ["RSA_2048", "EC_prime256v1", "EC_secp384r1"])
def test_each_kind_of_key_serves(cloud: Cloud, algorithm: str) -> None:
    shop = Shop(cloud)
    cloud.certificate(SHOP, again=shop.certificate, algorithm=algorithm)
    shop.connect().close()


def test_a_certificate_that_is_imported_anew_serves_at_once(cloud: Cloud) -> None:
    shop = Shop(cloud)
    cloud.certificate(SHOP, "also.test", again=shop.certificate)
    assert shop.names() == [SHOP, "also.test"]


def test_an_expired_certificate_goes_on_serving_and_clients_refuse_it(cloud: Cloud) -> None:
    shop = Shop(cloud)
    cloud.certificate(SHOP, again=shop.certificate, lasts=2)
    eventually(lambda: status_of(cloud, shop.certificate) == "EXPIRED")
    # A certificate names whole seconds, so a client may find it valid for one more.
    eventually(lambda: "certificate has expired" in refusal_of(shop))


def refusal_of(shop: Shop) -> str:
    """Why a client refuses the certificate; "" if it does not."""
    try:
        shop.connect()
    except ssl.SSLCertVerificationError as error:
        return str(error)
    return ""


def status_of(cloud: Cloud, certificate: str) -> str:
    return str(cloud.acm.describe_certificate(CertificateArn=certificate)["Certificate"]["Status"])


def test_keys_are_for_their_owner_alone_and_go_with_their_use(cloud: Cloud) -> None:
    shop = Shop(cloud)
    folder = cloud.folder / "edge/certificates"
    (kept,) = folder.iterdir()
    secret = [kept, cloud.authority / "ca.key", cloud.folder / "emulator/acm.json"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
    cloud.client.delete_listener(ListenerArn=shop.listener)
    cloud.listener(shop.balancer, PLAIN)
    assert list(folder.iterdir()) == []


def test_a_certificate_in_use_is_not_deleted(cloud: Cloud) -> None:
    shop = Shop(cloud)
    shown = cloud.acm.describe_certificate(CertificateArn=shop.certificate)["Certificate"]
    assert shown["InUseBy"] == [shop.balancer]
    with pytest.raises(cloud.acm.exceptions.ResourceInUseException):
        cloud.acm.delete_certificate(CertificateArn=shop.certificate)
    cloud.client.delete_listener(ListenerArn=shop.listener)
    cloud.acm.delete_certificate(CertificateArn=shop.certificate)


def test_the_next_emulator_serves_with_the_same_certificate(tmp_path: Path) -> None:
    with running(tmp_path) as cloud:
        shop = Shop(cloud)
        authority = (cloud.authority / CERTIFICATE).read_text()
        cloud.stop()
        cloud.start()
        assert shop.names() == [SHOP]
        assert (cloud.authority / CERTIFICATE).read_text() == authority


def test_an_emulator_that_lost_a_listeners_certificate_says_so(tmp_path: Path) -> None:
    with running(tmp_path) as cloud:
        shop = Shop(cloud)
        cloud.stop()
        (tmp_path / "emulator/acm.json").unlink()
        with pytest.raises(Refused, match=f"does not know: {shop.certificate}"):
            cloud.start()


# ---------------------------------------------------------------- policies


@pytest.mark.parametrize(
    ("policy", "spoken", "refused"),
    [
        (MODERN, [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], [ssl.TLSVersion.TLSv1_1]),
        ("ELBSecurityPolicy-TLS13-1-3-2021-06", [ssl.TLSVersion.TLSv1_3], [ssl.TLSVersion.TLSv1_2]),
        ("ELBSecurityPolicy-TLS-1-2-2017-01", [ssl.TLSVersion.TLSv1_2], [ssl.TLSVersion.TLSv1_3]),
        ("ELBSecurityPolicy-2016-08", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_2], [ssl.TLSVersion.TLSv1_3]),
    ],
)
def test_the_policy_says_which_protocols_are_spoken(
    cloud: Cloud, policy: str, spoken: Sequence[ssl.TLSVersion], refused: Sequence[ssl.TLSVersion]
) -> None:
    shop = Shop(cloud, policy)
    for version in spoken:
        with shop.connect(context=only(shop.trust(), version)) as connection:
            assert connection.version() == version.name.replace("_", ".").removesuffix(".0")
    for version in refused:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            shop.connect(context=only(shop.trust(), version))


def only(context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # a client that would speak old protocols
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = context.maximum_version = version
    return context


def test_the_policy_says_which_ciphers_are_taken(cloud: Cloud) -> None:
    shop = Shop(cloud)
    cloud.certificate(SHOP, again=shop.certificate, algorithm="RSA_2048")
    for cipher, taken in (("ECDHE-RSA-AES256-GCM-SHA384", True), ("ECDHE-RSA-AES256-SHA384", False)):
        context = only(shop.trust(), ssl.TLSVersion.TLSv1_2)
        context.set_ciphers(cipher)
        assert accepts(lambda context=context: shop.connect(context=context)) == taken


def accepts(connect: Callable[[], ssl.SSLSocket]) -> bool:
    try:
        connect().close()
    except (ssl.SSLError, ConnectionError):
        return False
    return True


@pytest.mark.parametrize(("enabled", "agreed"), [("true", "h2"), ("false", "http/1.1")])
def test_http_2_is_offered_unless_it_is_switched_off(cloud: Cloud, enabled: str, agreed: str) -> None:
    shop = Shop(cloud)
    http2 = [{"Key": "routing.http2.enabled", "Value": enabled}]
    cloud.client.modify_load_balancer_attributes(LoadBalancerArn=shop.balancer, Attributes=http2)
    context = shop.trust()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with shop.connect(context=context) as connection:
        assert connection.selected_alpn_protocol() == agreed


# ---------------------------------------------------------------- requests


def target(stack: ExitStack, host: int, name: str = "") -> Target:
    one = Target(f"127.0.21.{host}", TARGET_PORT, name=name)
    stack.callback(one.stop)
    return one


def served(cloud: Cloud, shop: Shop, stack: ExitStack) -> str:
    """A healthy target behind the listener; the group's arn."""
    group = cloud.target_group("blue")
    cloud.client.modify_listener(ListenerArn=shop.listener, DefaultActions=[weighted((group, 1))])
    cloud.register(group, target(stack, 31, "blue"))
    cloud.until_healthy(group)
    return group


def test_a_target_learns_how_it_was_asked(cloud: Cloud, stack: ExitStack) -> None:
    shop = Shop(cloud)
    served(cloud, shop, stack)
    told = [{"Key": "routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "Value": "true"}]
    cloud.client.modify_load_balancer_attributes(LoadBalancerArn=shop.balancer, Attributes=told)
    status, _, body = shop.answer()
    assert status == 200
    for line in ("'x-forwarded-proto': 'https'", f"'x-forwarded-port': '{PORT}'", "'x-amzn-tls-version': 'TLSv1.3'"):
        assert line in body.lower() or line in body


def test_all_answers_tell_browsers_to_stay_with_https(cloud: Cloud, stack: ExitStack) -> None:
    shop = Shop(cloud)
    assert "strict-transport-security" not in shop.answer()[1]
    set_hsts(cloud, shop.listener, "max-age=31536000; includeSubDomains")
    assert shop.answer()[0] == 503
    assert shop.answer()[1]["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    served(cloud, shop, stack)
    assert shop.answer()[0] == 200
    assert shop.answer()[1]["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    set_hsts(cloud, shop.listener, "")
    assert "strict-transport-security" not in shop.answer()[1]


def test_a_listener_for_http_sends_users_to_the_one_for_https(cloud: Cloud) -> None:
    shop = Shop(cloud)
    cloud.listener(shop.balancer, PLAIN, TO_HTTPS)
    connection = http.client.HTTPConnection(shop.address, PLAIN, timeout=20)
    connection.request("GET", "/cart?item=1", headers={"Host": f"{SHOP}:{PLAIN}"})
    response = connection.getresponse()
    assert (response.status, response.getheader("Location")) == (301, f"https://{SHOP}:{PORT}/cart?item=1")
    connection.close()


def test_a_redirect_that_keeps_the_protocol_keeps_https(cloud: Cloud) -> None:
    shop = Shop(cloud, MODERN, {"Type": "redirect", "RedirectConfig": {"Host": "new.test", "StatusCode": "HTTP_302"}})
    assert shop.answer()[1]["location"] == f"https://new.test:{PORT}/"


# ---------------------------------------------------------------- changes under load


def test_no_request_fails_while_certificate_policy_and_header_change(cloud: Cloud, stack: ExitStack) -> None:
    shop = Shop(cloud)
    served(cloud, shop, stack)
    load = Running("ask", shop.address, PORT, 4, SHOP, str(cloud.authority / CERTIFICATE))
    stack.callback(load.stop)
    other = cloud.certificate(SHOP, OTHER)
    for step in range(2):
        cloud.certificate(SHOP, f"step-{step}.test", again=shop.certificate)
        cloud.client.modify_listener(ListenerArn=shop.listener, **certificates(other))
        cloud.client.modify_listener(ListenerArn=shop.listener, SslPolicy="ELBSecurityPolicy-TLS13-1-3-2021-06")
        set_hsts(cloud, shop.listener, f"max-age={step}")
        cloud.client.modify_listener(ListenerArn=shop.listener, SslPolicy=MODERN, **certificates(shop.certificate))
    result = load.result()
    assert result["failed"] == {}
    assert result["requests"] > 10


def test_no_request_to_http_fails_while_https_begins_and_80_becomes_a_redirect(cloud: Cloud, stack: ExitStack) -> None:
    """The order in which a door is made secure: 443 first, then the redirect, then the test listener in place."""
    balancer, address = cloud.load_balancer()
    group = cloud.target_group("blue")
    plain = cloud.listener(balancer, PLAIN, weighted((group, 1)))
    cloud.register(group, target(stack, 31, "blue"))
    cloud.until_healthy(group)
    load = Running("ask", address, PLAIN, 4)
    stack.callback(load.stop)
    secure = {"Protocol": "HTTPS", **certificates(cloud.certificate(SHOP))}
    cloud.listener(balancer, PORT, weighted((group, 1)), **secure)
    test_listener = cloud.listener(balancer, PORT + 2, weighted((group, 1)))
    cloud.client.modify_listener(ListenerArn=test_listener, **secure)
    result = load.result()
    assert (result["failed"], result["requests"] > 10) == ({}, True)
    over_tls = Running("ask", address, PORT, 4, SHOP, str(cloud.authority / CERTIFICATE))
    stack.callback(over_tls.stop)
    redirect = {
        "Type": "redirect",
        "RedirectConfig": {"Protocol": "HTTPS", "Port": str(PORT), "StatusCode": "HTTP_301"},
    }
    cloud.client.modify_listener(ListenerArn=plain, DefaultActions=[redirect])
    result = over_tls.result()
    assert (result["failed"], result["requests"] > 10) == ({}, True)


def test_a_listener_changes_its_protocol_where_it_is(cloud: Cloud) -> None:
    balancer, address = cloud.load_balancer()
    listener = cloud.listener(balancer, PORT, fixed(200, "here"))

    def plain() -> str:
        connection = http.client.HTTPConnection(address, PORT, timeout=20)
        connection.request("GET", "/")
        body = connection.getresponse().read().decode()
        connection.close()
        return body

    assert plain() == "here"
    cloud.client.modify_listener(ListenerArn=listener, Protocol="HTTPS", **certificates(cloud.certificate(SHOP)))
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        plain()
    trust = ssl.create_default_context(cafile=str(cloud.authority / CERTIFICATE))
    trust.wrap_socket(socket.create_connection((address, PORT), timeout=20), server_hostname=SHOP).close()
    cloud.client.modify_listener(ListenerArn=listener, Protocol="HTTP")
    assert plain() == "here"
