"""AWS's own error codes and wordings, made in one place.

ServiceError (wire.py)
├── wrong()        ValidationError: a value that AWS would refuse as well
├── unsupported()  ValidationError: fine on AWS, but not carried by the local load balancer; says so
└── missing()      …NotFound
"""

from __future__ import annotations

from local_aws.emulator.wire import ServiceError


def wrong(message: str) -> ServiceError:
    return ServiceError("ValidationError", message)


def constraint(value: object, name: str, must: str) -> ServiceError:
    """AWS's wording for a member that does not satisfy the service's model."""
    shown = "null" if value is None else f"'{value}'"
    return wrong(
        f"1 validation error detected: Value {shown} at '{name}' failed to satisfy constraint: Member must {must}"
    )


def unsupported(what: str) -> ServiceError:
    return wrong(f"The local load balancer does not carry {what} (a real Application Load Balancer may).")


def missing(kind: str, arn: str) -> ServiceError:
    """`kind`: Load balancer, Target group, Listener or Rule."""
    code = "".join(word.capitalize() for word in kind.split()) + "NotFound"
    if kind in ("Load balancer", "Target group"):
        return ServiceError(code, f"One or more {kind.lower()}s not found: {arn}")
    return ServiceError(
        code, f"{kind} '{arn}' not found" if kind == "Rule" else f"One or more listeners not found: {arn}"
    )


def in_use(arn: str) -> ServiceError:
    return ServiceError("ResourceInUse", f"Target group '{arn}' is currently in use by a listener or a rule")


def not_permitted(message: str) -> ServiceError:
    return ServiceError("OperationNotPermitted", message)
