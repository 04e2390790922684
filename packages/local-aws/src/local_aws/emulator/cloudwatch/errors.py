"""AWS's error codes and wordings, made in one place.

ServiceError (wire.py)
├── constraint()     ValidationError: a member that does not satisfy the service's model
├── wrong()          ValidationError: anything else about an alarm that AWS would refuse as well
├── invalid()        InvalidParameterValue
├── combination()    InvalidParameterCombination
├── required()       MissingParameter
├── not_found()      ResourceNotFound
└── unsupported()    InvalidParameterValue: fine on AWS, but not carried by the local CloudWatch; says so

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

from local_aws.emulator.wire import ServiceError


def wrong(message: str) -> ServiceError:
    return ServiceError("ValidationError", message)


def constraint(value: object, name: str, must: str) -> ServiceError:
    shown = "null" if value is None else f"'{value}'"
    at = name[:1].lower() + name[1:]
    return wrong(
        f"1 validation error detected: Value {shown} at '{at}' failed to satisfy constraint: Member must {must}"
    )


def invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterValue", message)


def combination(message: str) -> ServiceError:
    return ServiceError("InvalidParameterCombination", message)


def required(name: str) -> ServiceError:
    return ServiceError("MissingParameter", f"The parameter {name} is required.")


def not_found(what: str) -> ServiceError:
    return ServiceError("ResourceNotFound", what, 404)


def unsupported(what: str) -> ServiceError:
    return invalid(f"The local CloudWatch does not carry {what} (AWS may).")
