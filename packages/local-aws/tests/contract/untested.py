"""What is relied on and cannot be tried by a test: each says why."""

from __future__ import annotations

from tests.contract.contracts import Contract

ELB = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application"
ECS = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide"

UNTESTED = (
    Contract(
        says="A changed rule is in force within a short time, and meanwhile some requests still follow the old one; "
        "requests under way are finished.",
        source=f"{ELB}/edit-rule.html",
        otherwise="the live check after a switch would give up too early, or users would be cut off",
        used_by=("release_lane/gates/switch.py", "docs/aws.md"),
        note="how short is not documented; in the local cloud it is at once",
    ),
    Contract(
        says="Where Fargate has no capacity a task does not come into being; the service's events say so, and ECS "
        "tries again.",
        source=f"{ECS}/service-event-messages-list.html",
        otherwise="a rollout would hang without a reason: the gate waits for its deadline and says what it waited for",
        used_by=("release_lane/watch/rollout.py", "docs/aws.md"),
        note="a region cannot be made to run out of capacity",
    ),
    Contract(
        says="A certificate that was requested with DNS validation is issued some minutes after its records can be "
        "looked up, and renewed for as long as they stay and it is in use.",
        source="https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html",
        otherwise="an environment would wait for its certificate until its update gives up, or users would meet an "
        "expired one",
        used_by=("infra/balancer.py",),
        note="it needs a domain of the person who runs the tests; the local cloud issues at the next look, and "
        "renews nothing",
    ),
    Contract(
        says="Untagged images expire within 24 hours after they meet a rule of the lifecycle policy; tagged ones do "
        "not.",
        source="https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html",
        otherwise="an image that is live somewhere would vanish from the registry",
        used_by=("release_lane/program/artifacts.py",),
        note="it takes a day; the local cloud never expires anything",
    ),
    Contract(
        says="Fargate tasks are moved off a retired platform version within the service's percentages.",
        source=f"{ECS}/task-maintenance.html",
        otherwise="live tasks could all be stopped at once",
        used_by=("infra/colour.py",),
        note="AWS decides when",
    ),
    Contract(
        says="A container of a task with a task role gets the role's credentials from the address that "
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI names.",
        source=f"{ECS}/task-iam-roles.html",
        otherwise="the sample could not read its flags: all of them would be off",
        used_by=("app/aws.py",),
        note="the local cloud gives credentials and endpoint as variables, and looks at no right",
    ),
)
