"""How users come in: the listeners that the program registers for HTTPS, and what becomes of an environment without."""

from __future__ import annotations

import json
from typing import Any

import pytest
from release_lane.errors import Refused
from release_lane.record.placement import Colour
from tests.program.mocks import ARTIFACTS, FIRST, SECOND, World, observed, outputs_of, release, run, standing_on

pytestmark = pytest.mark.program
HTTPS: dict[str, Any] = {"domain": "shop.example.com", "hostedZone": "Z0123456789"}
RECOMMENDED = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
"""By AWS, read in November 2026 (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html)."""

OWN = {"domain": "shop.example.com", "certificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/1"}
NAME = "release-lane-staging"
LISTENER = "aws:lb/listener:Listener"


def settings(**config: Any) -> dict[str, str]:
    return {
        f"release-lane:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in config.items()
    }


def first(**config: Any) -> World:
    """What a first release registers."""
    world = World(outputs=ARTIFACTS, observed=observed(image=FIRST))
    return run(world, {"release-lane:imageDigest": FIRST, **settings(**config)})


def live(state: dict[str, Any] | None = None, seen: dict[str, Any] | None = None, **config: Any) -> World:
    """SECOND serves from green."""
    found = observed(blue=release(FIRST), green=release(SECOND), live=Colour.GREEN) | (seen or {})
    return run(World(outputs=outputs_of_staging(), observed=found, state=state), settings(**config))


def outputs_of_staging() -> dict[str, Any]:
    """As they are recorded."""
    return {**ARTIFACTS, "staging": outputs_of(release(SECOND), Colour.GREEN, release(FIRST))}


def listeners(world: World) -> dict[str, Any]:
    """Inputs by the part of the name that says which it is."""
    return {each.name.removeprefix(f"{NAME}-"): each.inputs for each in world.of_type("listener:Listener")}


def with_https(state: dict[str, Any] | None = None) -> dict[str, Any]:
    """A state in which there is a listener of HTTPS."""
    urn = f"urn:pulumi:staging::release-lane::release-lane:infra:Balancer${LISTENER}::{NAME}-https"
    return {**(state or standing_on()), urn: {"type": LISTENER, "outputs": {"port": 443.0}}}


# ---- what is registered


def test_users_come_by_443_and_80_redirects_there_for_good() -> None:
    found = listeners(first(https=HTTPS))
    assert (found["https"]["port"], found["https"]["protocol"]) == (443, "HTTPS")
    assert found["https"]["defaultActions"][0]["fixedResponse"]["statusCode"] == "503"
    assert (found["users"]["port"], found["users"]["protocol"]) == (80, "HTTP")
    redirect = found["users"]["defaultActions"][0]["redirect"]
    assert redirect == {"port": "443", "protocol": "HTTPS", "statusCode": "HTTP_301"}


def test_all_listeners_but_the_redirect_speak_tls_by_one_certificate_and_a_current_policy() -> None:
    found = listeners(first(https=OWN))
    assert found.keys() == {"users", "https", "test-blue", "test-green"}
    for part in ("https", "test-blue", "test-green"):
        assert found[part]["protocol"] == "HTTPS"
        assert found[part]["certificateArn"] == OWN["certificateArn"]
        assert found[part]["sslPolicy"] == RECOMMENDED


def test_a_certificate_is_requested_and_used_once_its_domain_is_validated() -> None:
    world = first(https=HTTPS)
    assert world.one("acm/certificate:Certificate").inputs["domainName"] == "shop.example.com"
    record = world.one("route53/record:Record").inputs
    assert (record["zoneId"], record["name"], record["type"]) == ("Z0123456789", "_1.test", "CNAME")
    validation = world.one("certificateValidation:CertificateValidation").inputs
    assert validation["certificateArn"] == f"arn:{NAME}"
    assert listeners(world)["https"]["certificateArn"] == validation["certificateArn"]
    assert not [each for each in first(https=OWN).registered if ":acm/" in each.type or ":route53/" in each.type]


def test_the_proof_of_a_domain_stays_when_its_certificate_goes() -> None:
    """ACM renews other certificates of the domain by the same record."""
    world = first(https=HTTPS)
    assert [type for (type, _), options in world.options.items() if options.retained] == ["aws:route53/record:Record"]


def test_browsers_remember_https_for_as_long_as_the_settings_say() -> None:
    """AWS keeps a header that is no longer given, so it is always given."""
    header = "routingHttpResponseStrictTransportSecurityHeaderValue"
    assert listeners(first(https=HTTPS))["https"][header] == "max-age=0"
    found = listeners(first(https={**HTTPS, "hstsSeconds": 300}))
    assert found["https"][header] == "max-age=300"
    assert header not in found["users"]


def test_the_gates_get_the_name_that_users_come_by() -> None:
    world = first(https=HTTPS)
    for kind in ("SmokeGate", "TrafficSwitch"):
        assert world.one(kind).inputs["environment"]["domain"] == "shop.example.com"
        assert world.one(kind).inputs["environment"]["usersPort"] == 443
    assert "domain" not in first().one("SmokeGate").inputs["environment"]


@pytest.mark.parametrize(
    ("config", "protected"),
    [({}, None), ({"deletionProtection": True}, True), ({"deletionProtection": False}, None)],
    ids=str,
)
def test_the_load_balancer_is_kept_if_the_settings_say_so(config: dict[str, Any], protected: bool | None) -> None:
    assert first(**config).one("LoadBalancer").inputs.get("enableDeletionProtection") == protected


def test_access_logs_go_to_the_bucket_of_the_settings() -> None:
    logs = first(accessLogs={"bucket": "shop-logs", "prefix": "production"}).one("LoadBalancer").inputs["accessLogs"]
    assert logs == {"bucket": "shop-logs", "prefix": "production", "enabled": True}
    ended = first(accessLogs={"bucket": "shop-logs", "enabled": False}).one("LoadBalancer").inputs["accessLogs"]
    assert ended == {"bucket": "shop-logs", "enabled": False}
    assert "accessLogs" not in first().one("LoadBalancer").inputs


# ---- an environment that serves users


def test_a_certificate_that_a_browser_would_refuse_is_refused_before_anything_is_registered() -> None:
    world = World(outputs=ARTIFACTS, observed={**observed(), "certificateProblem": "it has expired"})
    with pytest.raises(Refused, match=r"https\.certificateArn cannot be used: it has expired"):
        run(world, settings(https=OWN))
    assert not world.registered
    assert world.asked["certificate"] == OWN["certificateArn"]


@pytest.mark.parametrize("config", [{**HTTPS, "domain": "new.example.com"}, {**OWN, "domain": "new.example.com"}])
def test_a_domain_under_live_users_changes_only_with_a_certificate_of_both_names(config: dict[str, str]) -> None:
    at = standing_on(domain="shop.example.com")
    for seen in ({"secured": True}, {"secured": True, "certificateNames": ["new.example.com"]}):
        with pytest.raises(Refused, match="would give live users a certificate error"):
            live(at, seen, https=config)
    both = {"secured": True, "certificateNames": ["shop.example.com", "new.example.com"]}
    assert listeners(live(at, both, https={**OWN, "domain": "new.example.com"})).keys() > {"https"}
    assert listeners(live(at, {"secured": True}, https=config, allowReplace=True)).keys() > {"https"}


def test_https_for_live_users_adds_a_listener_and_keeps_the_one_they_come_by() -> None:
    before, after = listeners(live()), listeners(live(https=HTTPS))
    assert after.keys() - before.keys() == {"https"}
    assert (after["users"]["port"], after["users"]["protocol"]) == (80, "HTTP")


def test_a_rollback_opens_no_https_and_waits_for_no_certificate() -> None:
    """What users come by is what the bad release answers on: it would have to pass the checks first."""
    back = {"imageDigest": FIRST, "rollbackFrom": SECOND}
    for https in (HTTPS, OWN):
        world = live(seen={"certificateProblem": "it is not issued yet"}, https=https, **back)
        assert listeners(world) == listeners(live(insecure=True, **back))
        assert not world.of_type("acm/certificate")
        assert "domain" not in world.one("TrafficSwitch").inputs["environment"]
    assert "https" not in listeners(live(with_https(), https=HTTPS, **back)), "begun and never opened"
    assert "https" in listeners(live(with_https(), {"secured": True}, https=HTTPS, **back))
    with pytest.raises(Refused, match="it is not issued yet"):
        live(seen={"certificateProblem": "it is not issued yet"}, https=OWN)


def test_what_follows_on_a_rollback_opens_no_https_either_and_what_is_built_anew_does() -> None:
    unfit = {"certificateProblem": "it is not issued yet"}
    assert "https" not in listeners(live(seen=unfit, https=OWN, asItStands=True))
    lost = World(outputs=outputs_of_staging(), observed={**observed(image=SECOND), **unfit}, state={})
    with pytest.raises(Refused, match="it is not issued yet"):
        run(lost, settings(https=OWN, onDrift="restore"))


def test_a_rollback_leaves_the_load_balancer_as_it_is() -> None:
    """AWS may refuse what was merged, such as a bucket that it may not write to."""
    logs = {"accessLogs": {"bucket": "shop-logs"}, "insecure": True}
    back = live(imageDigest=FIRST, rollbackFrom=SECOND, **logs)
    balancer = ("aws:lb/loadBalancer:LoadBalancer", NAME)
    assert back.options[balancer].ignored == ("*",)
    gates = {each: options for each, options in back.options.items() if each[0].startswith("release:index:")}
    assert len(gates) >= 4
    assert {options.ignored for options in gates.values()} == {()}, "they and the switch are what moves users"
    assert live(**logs).options[balancer].ignored == ()


def test_what_https_adds_may_go_again_until_users_come_by_it() -> None:
    rule = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    parts = ((LISTENER, f"{NAME}-https"), (rule, f"{NAME}-https"))
    for secured in (False, True):
        world = live(https=HTTPS, seen={"secured": secured})
        assert {world.options[part].protect for part in parts} == {secured}
    assert "https" not in listeners(live(with_https(), insecure=True)), "HTTPS was never opened"


def test_test_listeners_leave_tls_only_as_other_ones_while_what_users_come_by_stays() -> None:
    """AWS refuses HTTP with the recorded security policy, which the AWS provider sends along."""
    urn = f"urn:pulumi:staging::release-lane::release-lane:infra:Balancer${LISTENER}::{NAME}-test-blue"
    state = {**standing_on(), urn: {"type": LISTENER, "outputs": {"port": 9001.0, "protocol": "HTTPS"}}}
    for known, wanted, other in (
        (state, {"insecure": True}, True),
        (state, {"https": HTTPS}, False),
        (None, {"insecure": True}, False),
    ):
        world = live(known, **wanted)
        users, *tests = (world.options[LISTENER, f"{NAME}-{part}"] for part in ("users", "test-blue", "test-green"))
        assert (users.protect, users.replaced_by) == (True, ())
        for each in tests:
            assert (each.protect, each.deleted_first) == ((False, True) if other else (True, False))
            assert each.replaced_by == (("protocol",) if other else ())


def test_plain_http_for_users_who_come_by_https_is_refused() -> None:
    with pytest.raises(Refused, match="This would take HTTPS from live users"):
        live(with_https(), {"rule": None}, insecure=True)
    with pytest.raises(Refused, match="would delete what live users stand on"):
        program_without_https()


def program_without_https() -> None:
    """The listener is dropped by an edit of the program, not by a setting."""
    other = f"urn:pulumi:staging::release-lane::release-lane:infra:Balancer${LISTENER}::{NAME}-other-https"
    state = {**with_https(), other: {"type": LISTENER, "outputs": {"port": 444.0}}}
    live(state, {"secured": True}, https=HTTPS)


def test_a_protected_load_balancer_is_not_built_anew() -> None:
    state = standing_on(cidr="10.30.0.0/16")
    for each in state.values():
        each["outputs"] |= {"enableDeletionProtection": True} if each["type"].endswith(":LoadBalancer") else {}
    with pytest.raises(Refused, match="is protected from deletion"):
        live(state, allowReplace=True)
