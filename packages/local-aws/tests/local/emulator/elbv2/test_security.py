"""HTTPS listeners as the API shows and refuses them: protocol, certificates, security policy. Pure."""

from __future__ import annotations

from typing import Any

import pytest
from local_aws.emulator.elbv2.actions.call import Fitness
from local_aws.emulator.elbv2.tls import DEFAULT_POLICY, POLICIES, TLS_1_2, TLS_1_3
from tests.local.emulator.elbv2.requests import ACM, CERTIFICATE, FIXED, OTHER, Account
from tests.local.emulator.elbv2.test_actions import refused

pytestmark = pytest.mark.pure

MODERN = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
SECURE: dict[str, Any] = {"Protocol": "HTTPS", "Certificates": [{"CertificateArn": CERTIFICATE}]}


@pytest.fixture
def account() -> Account:
    return Account()


def shown(account: Account, listener: str) -> dict[str, Any]:
    (one,) = account.do("DescribeListeners", ListenerArns=[listener])["Listeners"]
    return dict(one)


def certificates(account: Account, listener: str) -> dict[str, bool]:
    found = account.do("DescribeListenerCertificates", ListenerArn=listener)["Certificates"]
    return {one["CertificateArn"]: one["IsDefault"] for one in found}


def test_an_https_listener_shows_its_certificate_and_its_policy(account: Account) -> None:
    listener = account.listener(account.load_balancer(), port=443, SslPolicy=MODERN, **SECURE)
    one = shown(account, listener)
    assert (one["Protocol"], one["SslPolicy"]) == ("HTTPS", MODERN)
    assert one["Certificates"] == [{"CertificateArn": CERTIFICATE}]
    assert certificates(account, listener) == {CERTIFICATE: True}


def test_a_policy_that_is_left_out_is_the_apis_default(account: Account) -> None:
    listener = account.listener(account.load_balancer(), port=443, **SECURE)
    assert shown(account, listener)["SslPolicy"] == DEFAULT_POLICY == "ELBSecurityPolicy-2016-08"


def test_an_http_listener_shows_nothing_of_tls(account: Account) -> None:
    listener = account.listener(account.load_balancer())
    assert not {"SslPolicy", "Certificates", "MutualAuthentication"} & shown(account, listener).keys()
    assert certificates(account, listener) == {}


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ({"Certificates": []}, "ValidationError", "A certificate must be specified for HTTPS listeners"),
        ({"Certificates": [{"CertificateArn": f"{ACM}/none"}]}, "CertificateNotFound", "not found"),
        ({"Certificates": [{"CertificateArn": CERTIFICATE}, {"CertificateArn": OTHER}]}, "TooManyCertificates", "one"),
        ({"SslPolicy": "ELBSecurityPolicy-TLS14"}, "SSLPolicyNotFound", "'ELBSecurityPolicy-TLS14' not found"),
        ({"Protocol": "HTTP"}, "ValidationError", "HTTPS listeners only"),
        (
            {"Protocol": "HTTP", "Certificates": [], "SslPolicy": MODERN},
            "ValidationError",
            "An SSL policy cannot be specifed for HTTP listeners",
        ),
        ({"MutualAuthentication": {"Mode": "verify"}}, "ValidationError", "does not carry mutual TLS"),
        ({"AlpnPolicy": ["HTTP2Only"]}, "ValidationError", "Network Load Balancers only"),
    ],
)
def test_what_does_not_fit_is_refused(account: Account, given: Any, code: str, said: str) -> None:
    members = {"LoadBalancerArn": account.load_balancer(), "Port": 443, "DefaultActions": [FIXED], **SECURE, **given}
    assert said in refused(account, code, "CreateListener", **members)


def test_a_certificate_that_is_not_issued_is_no_certificate_for_a_listener(account: Account) -> None:
    account.certificates = {CERTIFICATE: Fitness.UNFIT}
    members = {"LoadBalancerArn": account.load_balancer(), "Port": 443, "DefaultActions": [FIXED], **SECURE}
    assert "fully-qualified domain name" in refused(account, "UnsupportedCertificate", "CreateListener", **members)


def test_a_listener_becomes_one_for_https_where_it_is_and_back(account: Account) -> None:
    listener = account.listener(account.load_balancer(), port=9001)
    account.do("ModifyListener", ListenerArn=listener, SslPolicy=MODERN, **SECURE)
    one = shown(account, listener)
    assert (one["Port"], one["Protocol"], one["SslPolicy"]) == (9001, "HTTPS", MODERN)
    account.do("ModifyListener", ListenerArn=listener, Protocol="HTTP")
    assert "Certificates" not in shown(account, listener)
    assert account.state.users_of(CERTIFICATE) == []


def test_a_change_of_something_else_leaves_protocol_certificate_and_policy(account: Account) -> None:
    listener = account.listener(account.load_balancer(), port=443, SslPolicy=MODERN, **SECURE)
    before = shown(account, listener)
    account.do("ModifyListener", ListenerArn=listener, Port=444)
    assert shown(account, listener) == before | {"Port": 444}


def test_another_default_certificate_takes_the_place_of_the_first(account: Account) -> None:
    listener = account.listener(account.load_balancer(), port=443, **SECURE)
    account.do("ModifyListener", ListenerArn=listener, Certificates=[{"CertificateArn": OTHER}])
    assert certificates(account, listener) == {OTHER: True}


def test_more_certificates_are_added_and_removed_but_the_default_one_stays(account: Account) -> None:
    listener = account.listener(account.load_balancer(), port=443, **SECURE)
    more = [{"CertificateArn": OTHER}]
    account.do("AddListenerCertificates", ListenerArn=listener, Certificates=more)
    account.do("AddListenerCertificates", ListenerArn=listener, Certificates=more)
    assert certificates(account, listener) == {CERTIFICATE: True, OTHER: False}
    default = [{"CertificateArn": CERTIFICATE}]
    refused(account, "OperationNotPermitted", "RemoveListenerCertificates", ListenerArn=listener, Certificates=default)
    account.do("RemoveListenerCertificates", ListenerArn=listener, Certificates=more)
    assert certificates(account, listener) == {CERTIFICATE: True}


def test_an_http_listener_takes_no_certificates(account: Account) -> None:
    listener = account.listener(account.load_balancer())
    more = [{"CertificateArn": OTHER}]
    refused(account, "ValidationError", "AddListenerCertificates", ListenerArn=listener, Certificates=more)


def test_a_certificate_is_used_by_each_load_balancer_once(account: Account) -> None:
    balancer = account.load_balancer()
    for port in (443, 9001):
        account.listener(balancer, port=port, **SECURE)
    assert account.state.users_of(CERTIFICATE) == [balancer]


def test_policies_say_which_protocols_and_ciphers_they_have(account: Account) -> None:
    (policy,) = account.do("DescribeSSLPolicies", Names=[MODERN])["SslPolicies"]
    assert policy["SslProtocols"] == (TLS_1_2, TLS_1_3)
    assert [one["Priority"] for one in policy["Ciphers"]] == list(range(1, 8))
    assert len(account.do("DescribeSSLPolicies")["SslPolicies"]) == len(POLICIES)


@pytest.mark.parametrize("name", POLICIES)
def test_a_policys_name_says_what_it_has(name: str) -> None:
    policy = POLICIES[name]
    assert (TLS_1_3 in policy.protocols) == ("TLS13" in name)
    assert ("TLS_CHACHA20_POLY1305_SHA256" in policy.ciphers) == ("TLS13" in name and "FIPS" not in name)
    if "-1-2-" in name:
        assert policy.protocols[0] == TLS_1_2
    if "FS" in name or "Res" in name or "-1-3-" in name:
        assert not [cipher for cipher in policy.ciphers if cipher.startswith("AES")], "no forward secrecy"
