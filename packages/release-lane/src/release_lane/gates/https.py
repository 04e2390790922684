"""Opening HTTPS to users who come by plain HTTP: no request is lost, and none is led to what does not answer.

Port 443 gets a rule with the weights and tags of the one on port 80, and is checked under the public name. Only then
the rule on port 80 is deleted, which leaves that listener's default action: the redirect. A tag on the new rule says
until then that both exist, so an update that is killed in between is taken up by the next one, which checks again.
"""

from __future__ import annotations

from collections.abc import Callable

from provider_kit import Context

from release_lane.aws.cloud import Balancer, Cloud
from release_lane.errors import CheckFailed, ReleaseError, Users
from release_lane.gates.smoke import until_passed
from release_lane.record.endpoint import Endpoint, production
from release_lane.record.inputs import SwitchInputs
from release_lane.record.journal import OPENING
from release_lane.record.names import HTTP_PORT
from release_lane.record.placement import Weights, whole
from release_lane.smoke.checks import Expected, Report

Check = Callable[[Context, Endpoint, Expected, float], Report]


def open_https(ctx: Context, cloud: Cloud, given: SwitchInputs, check: Check = until_passed) -> None:
    """Nothing where users come by HTTPS already: where this update saw so at its start, it is not asked again."""
    if given.located.complete:
        return
    found = cloud.balancer()
    if found.rule is None or not found.listener:
        return
    if found.plain is None:
        if OPENING in found.rule.tags:
            cloud.untag_rule(found.rule.arn, [OPENING])
        return
    endpoint = production(cloud.names, found.dns_name)
    ctx.info(f"opening {endpoint}; port {HTTP_PORT} goes on serving users until it answers")
    arn = _opened(cloud, found)
    try:
        check(ctx, endpoint, _serving(given, found.rule.weights), given.smoke_deadline)
    except BaseException as error:
        cloud.delete_rule(arn)
        if isinstance(error, ReleaseError):
            raise _not_opened(endpoint, error) from error
        raise
    cloud.delete_rule(found.plain.arn)
    cloud.untag_rule(arn, [OPENING])
    ctx.info(f"users come by {endpoint}; port {HTTP_PORT} redirects there")


def _opened(cloud: Cloud, found: Balancer) -> str:
    """The rule of HTTPS: the one that an update made which was killed, or a new one."""
    assert found.rule is not None
    assert found.plain is not None
    if found.secured:
        return found.rule.arn
    tags = {**found.plain.tags, OPENING: str(HTTP_PORT)}
    return cloud.create_rule(found.listener, found.target_groups, found.plain.weights, tags)


def _serving(given: SwitchInputs, weights: Weights) -> Expected:
    """What answers now: the recorded release, where all traffic is on its colour; else (during a hold) any that is
    well."""
    standing = given.standing
    if standing is None or whole(weights) is not standing.live_colour:
        return Expected(asked=(standing.live if standing else given.release).service.asked)
    live = standing.live
    return Expected(digest=live.digest, colour=standing.live_colour, commit=live.commit, asked=live.service.asked)


def _not_opened(endpoint: Endpoint, error: ReleaseError) -> CheckFailed:
    return CheckFailed(
        f"HTTPS was not opened: {endpoint} does not answer as port {HTTP_PORT} does. Users still come by plain HTTP.",
        why=error.what,
        next_step="correct what the checks name (a certificate has to be of the domain, and trusted by this machine), "
        "and run the update again; or go back to insecure: true.",
        users=Users.UNTOUCHED,
    )
