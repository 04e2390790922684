"""Users come by HTTPS: released and rolled back without a failed request, led there from plain HTTP, never to a
certificate that a browser would refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from release_lane.smoke.connecting import session_to

from tests.patience import ANSWER_WITHIN, PATIENCE
from tests.stories.cloud import client, eventually, rule, weights
from tests.tls import DAY, authority
from tools.lane import PROJECT, Lane, Result, Stack

pytestmark = [pytest.mark.cloud, pytest.mark.story, pytest.mark.timeout(600)]
DOMAIN, ZONE = "shop.test", "Z0000000000LOCAL"
QUICK = {"deadlineSeconds": 3}
HTTPS = {"domain": DOMAIN, "hostedZone": ZONE, "hstsSeconds": 300}


def by_https(lane: Lane, name: str, **https: Any) -> Stack:
    """The environment with HTTPS in its stack file."""
    return lane.stack(name, "staging", smoke=QUICK, insecure=None, https={**HTTPS, **https})


@pytest.fixture(scope="module")
def secure(lane: Lane, good: str) -> Stack:
    """An environment whose users come by HTTPS from the first release on."""
    stack = by_https(lane, f"tls-{lane.mark}")
    result = stack.up(imageDigest=good)
    assert result.ok, result.text
    return stack


@pytest.fixture(scope="module")
def plain(lane: Lane, good: str) -> Stack:
    """An environment whose users come by plain HTTP."""
    stack = lane.environment("plain", like="staging", smoke=QUICK)
    result = stack.up(imageDigest=good)
    assert result.ok, result.text
    return stack


def refused(result: Result, *words: str) -> None:
    assert not result.ok
    assert "Traceback" not in result.text
    for word in words:
        assert word in result.text, result.text


def answer(stack: Stack, path: str, port: int = 443, trusts: Path | None = None) -> requests.Response:
    """What a browser gets that does not follow redirects."""
    at = stack.endpoint
    if port == 80:
        return requests.get(f"http://{at.connect_to}{path}", headers={"Host": DOMAIN}, timeout=5, allow_redirects=False)
    with session_to(at) as session:
        return session.get(at.url + path, timeout=5, verify=str(trusts or stack.lane.variables["REQUESTS_CA_BUNDLE"]))


def imported(lane: Lane, name: str, lasts: float = DAY) -> str:
    """The ARN of a certificate that ACM got from elsewhere, and that is issued or has expired by now."""
    acm, made = client(lane, "acm"), authority().issued(name, lasts)
    parts = {"Certificate": made.certificate, "CertificateChain": made.chain, "PrivateKey": made.key}
    given = {name: text.encode() for name, text in parts.items()}
    arn = str(acm.import_certificate(**given)["CertificateArn"])

    def status() -> str:
        return str(acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"])

    assert eventually("issued, or expired", lambda: status() == ("ISSUED" if lasts == DAY else "EXPIRED"))
    return arn


def test_users_of_https_lose_no_request_in_a_release_and_a_rollback(
    secure: Stack, good: str, better: str, probe: Any
) -> None:
    assert secure.outputs["url"] == f"https://{DOMAIN}"
    users = probe(secure)
    released = secure.up(imageDigest=better)
    assert released.ok, released.text
    assert secure.served()["digest"] == better
    back = secure.up(imageDigest=good, rollbackFrom=better)
    assert back.ok, back.text
    report = users.stop()
    assert report.flawless, report
    assert {release.digest for release in report.total.releases} == {good, better}
    again = secure.up("--expect-no-changes")
    assert again.ok, again.text


@pytest.mark.long
@pytest.mark.real
def test_a_certificate_of_the_teams_own_takes_the_place_of_another_under_users(
    secure: Stack, good: str, best: str, probe: Any, tmp_path: Path
) -> None:
    """Users lose no request while the listeners' certificate is another one, in a release with it, nor on the way back
    to one by DNS."""
    own, trusted = authority().bundle, tmp_path / "trusted.pem"
    trusted.write_text(Path(secure.lane.variables["REQUESTS_CA_BUNDLE"]).read_text() + own.read_text())
    lane = replace(secure.lane, variables={**secure.lane.variables, "REQUESTS_CA_BUNDLE": str(trusted)})
    wanted = lane.stack(
        secure.name,
        "staging",
        smoke=QUICK,
        insecure=None,
        https={"domain": DOMAIN, "certificateArn": imported(lane, DOMAIN), "hstsSeconds": 300},
    )
    users = probe(wanted)
    for changed in (wanted.up(), wanted.up(imageDigest=best)):
        assert changed.ok, changed.text
        assert answer(wanted, "/health", trusts=own).ok, "users are shown the team's own certificate"
    assert wanted.served()["digest"] == best
    by_dns = replace(by_https(secure.lane, secure.name), lane=lane)
    for back in (by_dns.up(imageDigest=good, rollbackFrom=best), by_dns.up()):
        assert back.ok, back.text
    assert answer(secure, "/health").ok
    report = users.stop()
    assert report.flawless, report


def test_port_80_redirects_for_good_and_browsers_remember_it(secure: Stack) -> None:
    there = answer(secure, "/api/v1/status?a=b", port=80)
    assert (there.status_code, there.headers["Location"]) == (301, f"https://{DOMAIN}:443/api/v1/status?a=b")
    assert answer(secure, "/health").headers["Strict-Transport-Security"] == "max-age=300"


@pytest.mark.long
@pytest.mark.real
def test_https_is_opened_to_users_of_plain_http_who_lose_no_request(plain: Stack, better: str) -> None:
    before, came = rule(plain), plain.probe("/health", 50, expect=(301,), timeout=ANSWER_WITHIN)
    secure = by_https(plain.lane, plain.name)
    # Port 80 answers as ever, or redirects. Port 443 answers from its first good answer on, so also after a redirect,
    # for which a browser connects anew: a connection from before may be answered with the 503 of then.
    with came, secure.probe("/health", 50, wait_ready=True, per_connection=1, timeout=ANSWER_WITHIN) as comes:
        kept = secure.up()
        assert kept.ok, kept.text
        assert comes.wait_until_ready(PATIENCE)
        reports = came.stop(), comes.stop()
    assert [report.total.failed for report in reports] == [0, 0], reports
    assert reports[0].total.statuses.keys() == {"200", "301"}
    assert "Decision: keep" in kept.text
    assert secure.outputs["url"] == f"https://{DOMAIN}"
    assert secure.served()["digest"] == plain.outputs["imageDigest"]
    now = rule(secure)
    assert (now["RuleArn"] != before["RuleArn"], weights(secure)) == (True, {"blue": 100, "green": 0})
    released = secure.up(imageDigest=better)
    assert released.ok, released.text
    assert secure.served()["digest"] == better
    refused(
        plain.lane.stack(plain.name, "staging", smoke=QUICK).up(),
        "This would take HTTPS from live users",
        "restore https",
    )


@pytest.mark.parametrize(
    ("name", "lasts", "said"),
    [(DOMAIN, 2.0, "it has expired"), ("other.test", DAY, "it is for other.test, not for shop.test")],
    ids=["expired", "another name"],
)
def test_a_certificate_that_a_browser_would_refuse_changes_nothing(
    secure: Stack, name: str, lasts: float, said: str
) -> None:
    arn, serving = imported(secure.lane, name, lasts), secure.outputs
    wrong = secure.lane.stack(
        secure.name, "staging", smoke=QUICK, insecure=None, https={"domain": DOMAIN, "certificateArn": arn}
    )
    for attempt in (wrong.preview, wrong.up):
        refused(attempt(), f"https.certificateArn cannot be used: {said}", "Nothing was changed")
    assert by_https(secure.lane, secure.name).served()["digest"] == serving["imageDigest"]


@pytest.mark.long
def test_users_stay_on_plain_http_where_the_certificate_is_not_trusted(lane: Lane, good: str, better: str) -> None:
    """ACM has it and calls it issued, but no browser knows its authority. A rollback goes on by plain HTTP all the
    same: what was begun of HTTPS need not answer for it."""
    stack = lane.environment("astray", like="staging", smoke={"deadlineSeconds": 1})
    assert stack.up(imageDigest=good).ok
    assert stack.up(imageDigest=better).ok
    https = {"domain": DOMAIN, "certificateArn": imported(lane, DOMAIN)}
    wrong = lane.stack(stack.name, "staging", smoke={"deadlineSeconds": 1}, insecure=None, https=https)
    refused(
        wrong.up(), "HTTPS was not opened", "the certificate is not valid: self-signed certificate in certificate chain"
    )
    back = lane.stack(stack.name, "staging", smoke=QUICK)
    assert back.served()["digest"] == better
    rolled = wrong.up(imageDigest=good, rollbackFrom=better)
    assert rolled.ok, rolled.text
    assert back.served()["digest"] == good
    undone = back.up()
    assert undone.ok, undone.text
    assert back.served()["digest"] == good


def test_how_users_come_in_has_to_be_said(lane: Lane) -> None:
    stack = lane.environment("unsaid", like="staging", insecure=None)
    refused(stack.up(), "https: is missing", "insecure: true")


@pytest.mark.long
@pytest.mark.real
def test_a_protected_load_balancer_outlives_a_destroy_and_says_how_it_may_go(lane: Lane, good: str) -> None:
    stack = lane.environment("keeper", like="staging", smoke=QUICK, deletionProtection=True)
    assert stack.up(imageDigest=good).ok
    refused(stack.destroy(), "is protected from deletion", "deletionProtection: false")
    assert stack.served()["digest"] == good
    unprotected = lane.stack(stack.name, "staging", smoke=QUICK)
    assert unprotected.up().ok
    gone = unprotected.destroy()
    assert gone.ok, gone.text
    elb = client(lane, "elbv2")
    with pytest.raises(elb.exceptions.LoadBalancerNotFoundException):
        elb.describe_load_balancers(Names=[f"{PROJECT}-{stack.name}"])
