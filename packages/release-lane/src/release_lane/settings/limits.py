"""What AWS, and the machine, would refuse of names, places and a whole configuration: each rule once, with its source.

A rule takes a value and says what is wrong with it, "" if nothing is; none repeats a value that may be secret. They are
asked before anything changes (by the settings, the program and the command). The rules of a section are in its file
next to this one. What AWS itself does is tried by packages/release-lane/tests/settings/test_limits_of_aws.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

AWS = "https://docs.aws.amazon.com"
"""In sources `AWS/…` is a page there."""

PARTITION = r"arn:aws(-[a-z]+)*"
"""How an ARN begins, in any partition."""

FILL_IN = ("", "FILL-IN")
"""The placeholder under `account` in a stack file that is not adopted yet."""


def account(text: str) -> str:
    """An AWS account's number."""
    if re.fullmatch(r"[0-9]{12}", text):
        return ""
    if text not in FILL_IN:
        return f"should be the 12 digits of an AWS account, in quotes, not {text!r}"
    ask = "`aws sts get-caller-identity --query Account --output text` says it"
    return (
        f"is still to be filled in: the 12 digits of this stack's AWS account, in quotes ({ask}); on the local cloud"
        " give --config-file .local/stacks/Pulumi.<stack>.yaml"
    )


def region(text: str) -> str:
    """A region's code (AWS/general/latest/gr/rande.html)."""
    return "" if re.fullmatch(r"[a-z]{2,}(-[a-z]+)+-[0-9]{1,2}", text) else "should be a region, like eu-central-1"


STACK = re.compile(r"[A-Za-z0-9_.-]{1,100}")
"""A stack's name (pulumi/pulumi: pkg/backend, ValidateStackName)."""


def stack_name(text: str) -> str:
    """The name of a stack of this project."""
    return "" if STACK.fullmatch(text) else "should be the name of a stack of this project, as in Pulumi.<name>.yaml"


LONGEST_PREFIX = 26
"""A load balancer and a target group take 32 characters (API_CreateTargetGroup.html); `-green` needs six of them."""


def prefix(text: str) -> str:
    """`<project>-<stack>`, with which all names of an environment begin.

    Load balancers and target groups take letters, digits and hyphens, none of these first or last, and do not begin
    with `internal-` (API_CreateLoadBalancer.html); a security group does not begin with `sg-`
    (AWS/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html).
    """
    if len(text) > LONGEST_PREFIX:
        return f"AWS takes {LONGEST_PREFIX + len('-green')} characters for a target group, of which -green needs six"
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", text):
        return "AWS takes letters, digits and hyphens for a load balancer, and no hyphen first or last"
    if text.startswith(("internal-", "sg-")):
        return "AWS keeps names that begin with internal- (load balancers) and sg- (security groups) to itself"
    return ""


def store(prefix: str) -> str:
    """The same as the name of a database or cache: a letter first, and no two hyphens in a row
    (AWS/AmazonRDS/latest/APIReference/API_CreateDBInstance.html,
    AWS/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html)."""
    if re.fullmatch(r"[A-Za-z](-?[A-Za-z0-9])*", prefix):
        return ""
    return "AWS takes a name that begins with a letter and has no two hyphens in a row for a database or cache"


PROGRAM = 131_072
"""Bytes of one environment variable with its name, on Linux (man 2 execve, MAX_ARG_STRLEN): the engine hands the
program its whole configuration in one."""


def configuration(config: Mapping[str, Any], given: Collection[str] = ()) -> str:
    """Is a stack's configuration too large to be handed to the program? `given` are values by -c."""
    as_text = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    size = len(json.dumps(as_text)) + sum(map(len, given)) + len("PULUMI_CONFIG=") + 1
    if size <= PROGRAM:
        return ""
    largest = max(as_text, key=lambda key: len(as_text[key]))
    return (
        f"it has {size:,} bytes, and a program can be given {PROGRAM:,} (on Linux); {largest} alone has "
        f"{len(as_text[largest]):,}"
    )
