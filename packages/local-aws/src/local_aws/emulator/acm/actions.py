"""The API's actions, one function each: (state, request, call) -> (state after it, answer). Pure but for `call`.

A function raises ServiceError and leaves no trace, or returns the whole new state.
Sources: https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html and its siblings.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from local_aws.emulator.acm.authority import KEYS
from local_aws.emulator.acm.model import IMPORTED, REQUESTED, Certificate, Facts, Issued, Material, State
from local_aws.emulator.acm.records import Record, record_of
from local_aws.emulator.wire import ServiceError

Body = Mapping[str, Any]
Answer = dict[str, Any]
DOMAIN = re.compile(r"(\*\.)?(((?!-)[A-Za-z0-9-]{0,62}[A-Za-z0-9])\.)+((?!-)[A-Za-z0-9-]{1,62}[A-Za-z0-9])")
MOST_NAMES, MOST_TAGS = 10, 50
LONGEST_FIRST = 64  # characters of the common name; other names have 253
SAME_REQUEST_WITHIN = 3600.0  # seconds for which a token means the same request
OPTIONS = {"CertificateTransparencyLoggingPreference": "ENABLED", "Export": "DISABLED"}
LISTED_BY_DEFAULT = ("RSA_1024", "RSA_2048")
"""Other keys are listed only when `Includes` asks for them."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """What an action knows besides state and request. `users` names the load balancers that have a certificate."""

    region: str
    account: str
    now: float  # seconds since the epoch
    new_id: Callable[[], str]
    issue: Callable[[Sequence[str], str], Issued]  # names, key algorithm
    check: Callable[[Material], Facts]  # raises ServiceError
    exists: Callable[[Record], bool]
    users: Callable[[str], Sequence[str]]

    @property
    def prefix(self) -> str:
        return f"arn:aws:acm:{self.region}:{self.account}:certificate/"

    def mine(self, state: State) -> list[Certificate]:
        return [one for arn, one in state.certificates.items() if arn.startswith(self.prefix)]


def validated(state: State, call: Call) -> State:
    """Requests whose records all exist by now are issued. AWS takes minutes for that; here the next look does it."""
    issued = {
        one.arn: replace(one, issued=call.issue(one.names, one.key_algorithm))
        for one in call.mine(state)
        if one.status(call.now) == "PENDING_VALIDATION"
        and all(call.exists(record_of(call.account, name)) for name in one.names)
    }
    return replace(state, certificates={**state.certificates, **issued}) if issued else state


# ---------------------------------------------------------------- requesting


def request(state: State, body: Body, call: Call) -> tuple[State, Answer]:
    _only(body, "DomainName", "SubjectAlternativeNames", "ValidationMethod", "IdempotencyToken", "KeyAlgorithm",
          "Options", "Tags")  # fmt: skip
    if body.get("ValidationMethod") != "DNS":
        raise ServiceError(
            "ValidationException",
            "The local cloud validates by DNS only: ValidationMethod must be DNS (AWS: or EMAIL).",
        )
    names = tuple(dict.fromkeys([_required(body, "DomainName"), *body.get("SubjectAlternativeNames", ())]))
    _check_names(names)
    algorithm = body.get("KeyAlgorithm", "RSA_2048")
    if algorithm not in KEYS:
        raise ServiceError(
            "ValidationException", f"The key algorithm {algorithm} is not one that ACM requests: {', '.join(KEYS)}"
        )
    token = str(body.get("IdempotencyToken", ""))
    if token and (same := _same_request(state, token, names, call)):
        return state, {"CertificateArn": same.arn}
    one = Certificate(
        arn=call.prefix + call.new_id(),
        kind=REQUESTED,
        domain=names[0],
        names=names,
        key_algorithm=algorithm,
        created=call.now,
        token=token,
        options={**OPTIONS, **body.get("Options", {})},
        tags=_tags(body, {}),
    )
    return _put(state, one), {"CertificateArn": one.arn}


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if len(name) > 253 or not DOMAIN.fullmatch(name):
            raise ServiceError(
                "ValidationException",
                f"1 validation error detected: Value '{name}' at 'domainName' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: a fully qualified domain name",
            )
    if len(names[0]) > LONGEST_FIRST:
        raise ServiceError(
            "InvalidDomainValidationOptionsException",
            f"The first domain name can be no longer than {LONGEST_FIRST} characters.",
        )
    if len(names) > MOST_NAMES:
        raise ServiceError(
            "LimitExceededException", f"The certificate has {len(names)} domain names; the quota is {MOST_NAMES}."
        )


def _same_request(state: State, token: str, names: Sequence[str], call: Call) -> Certificate | None:
    return next(
        (
            one
            for one in call.mine(state)
            if (one.token, tuple(one.names)) == (token, tuple(names)) and call.now < one.created + SAME_REQUEST_WITHIN
        ),
        None,
    )


# ---------------------------------------------------------------- importing


def import_(state: State, body: Body, call: Call) -> tuple[State, Answer]:
    _only(body, "CertificateArn", "Certificate", "PrivateKey", "CertificateChain", "Tags")
    material = Material(
        certificate=_blob(body, "Certificate"),
        chain=_blob(body, "CertificateChain") if body.get("CertificateChain") else "",
        key=_blob(body, "PrivateKey"),
    )
    facts = call.check(material)
    old = _find(state, body, call) if body.get("CertificateArn") else None
    if old is not None and old.kind != IMPORTED:
        raise ServiceError(
            "ValidationException", f"{old.arn} was not imported: only such a certificate is imported anew."
        )
    if old is not None and body.get("Tags"):
        raise ServiceError("InvalidParameterException", "Tagging is not permitted on re-import.")
    one = Certificate(
        arn=old.arn if old else call.prefix + call.new_id(),
        kind=IMPORTED,
        domain=facts.names[0] if facts.names else "",
        names=facts.names,
        key_algorithm=facts.key_algorithm,
        created=old.created if old else call.now,
        issued=Issued(material=material, facts=facts, at=call.now),
        options=OPTIONS,
        tags=old.tags if old else _tags(body, {}),
    )
    return _put(state, one), {"CertificateArn": one.arn}


def _blob(body: Body, name: str) -> str:
    """A blob of the JSON protocol: base64."""
    try:
        return base64.b64decode(_required(body, name), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise ServiceError("SerializationException", f"{name} is not base64 of a text") from error


# ---------------------------------------------------------------- looking


def describe(state: State, body: Body, call: Call) -> tuple[State, Answer]:
    return state, {"Certificate": detail(_find(state, body, call), call)}


def get(state: State, body: Body, call: Call) -> tuple[State, Answer]:
    one = _find(state, body, call)
    if one.issued is None:
        raise ServiceError("RequestInProgressException", f"Certificate {one.arn} is not issued yet.")
    material = one.issued.material
    chain = {"CertificateChain": material.chain} if material.chain else {}
    return state, {"Certificate": material.certificate, **chain}


def list_(state: State, body: Body, call: Call) -> tuple[State, Answer]:
    wanted = body.get("CertificateStatuses")
    keys = (body.get("Includes") or {}).get("keyTypes") or LISTED_BY_DEFAULT
    found = [
        one for one in call.mine(state) if (not wanted or one.status(call.now) in wanted) and one.key_algorithm in keys
    ]
    start, size = int(body.get("NextToken") or 0), int(body.get("MaxItems") or 1000)
    more = {"NextToken": str(start + size)} if start + size < len(found) else {}
    return state, {"CertificateSummaryList": [_summary(one, call) for one in found[start : start + size]], **more}


def detail(one: Certificate, call: Call) -> Answer:
    """AWS's CertificateDetail."""
    users = list(call.users(one.arn))
    shown: Answer = {
        "CertificateArn": one.arn,
        "DomainName": one.domain,
        "SubjectAlternativeNames": list(one.names),
        "Status": one.status(call.now),
        "Type": one.kind,
        "CreatedAt": one.created,
        "KeyAlgorithm": one.key_algorithm.replace("_", "-", 1),  # as AWS spells it here
        "InUseBy": users,
        "RenewalEligibility": "ELIGIBLE" if one.kind == REQUESTED and one.issued and users else "INELIGIBLE",
        "Options": dict(one.options),
    }
    if one.kind == REQUESTED:
        shown["DomainValidationOptions"] = [_validation(name, one, call) for name in one.names]
    if one.issued is not None:
        shown |= _issued(one.issued, one.kind)
    return shown


def _issued(issued: Issued, kind: str) -> Answer:
    facts = issued.facts
    return {
        "Subject": facts.subject,
        "Issuer": facts.issuer,
        "Serial": facts.serial,
        "SignatureAlgorithm": facts.signature_algorithm,
        "NotBefore": facts.not_before,
        "NotAfter": facts.not_after,
        "IssuedAt" if kind == REQUESTED else "ImportedAt": issued.at,
    }


def _validation(name: str, one: Certificate, call: Call) -> Answer:
    record = record_of(call.account, name)
    status = {"PENDING_VALIDATION": "PENDING_VALIDATION", "VALIDATION_TIMED_OUT": "FAILED"}
    return {
        "DomainName": name,
        "ValidationDomain": name,
        "ValidationMethod": "DNS",
        "ValidationStatus": status.get(one.status(call.now), "SUCCESS"),
        "ResourceRecord": {"Name": record.name, "Type": "CNAME", "Value": record.value},
    }


def _summary(one: Certificate, call: Call) -> Answer:
    shown = detail(one, call)
    members = ("CertificateArn", "DomainName", "Status", "Type", "KeyAlgorithm", "CreatedAt", "IssuedAt", "ImportedAt",
               "NotBefore", "NotAfter", "RenewalEligibility")  # fmt: skip
    return {
        **{name: shown[name] for name in members if name in shown},
        "SubjectAlternativeNameSummaries": list(one.names),
        "HasAdditionalSubjectAlternativeNames": False,
        "InUse": bool(shown["InUseBy"]),
    }


# ---------------------------------------------------------------- deleting, options, tags


def delete(state: State, body: Body, call: Call) -> tuple[State, Answer]:
    one = _find(state, body, call)
    if call.users(one.arn):
        raise ServiceError("ResourceInUseException", f"Certificate {one.arn} in account {call.account} is in use.")
    return replace(state, certificates={arn: it for arn, it in state.certificates.items() if arn != one.arn}), {}


def update_options(state: State, body: Body, call: Call) -> tuple[State, Answer]:
    one = _find(state, body, call)
    return _put(state, replace(one, options={**one.options, **body.get("Options", {})})), {}


def add_tags(state: State, body: Body, call: Call) -> tuple[State, Answer]:
    one = _find(state, body, call)
    return _put(state, replace(one, tags=_tags(body, one.tags))), {}


def remove_tags(state: State, body: Body, call: Call) -> tuple[State, Answer]:
    """A tag that is given with a value goes only if it has that value."""
    one = _find(state, body, call)
    gone = {tag["Key"]: tag.get("Value") for tag in body.get("Tags", ())}
    left = {key: value for key, value in one.tags.items() if key not in gone or gone[key] not in (None, value)}
    return _put(state, replace(one, tags=left)), {}


def list_tags(state: State, body: Body, call: Call) -> tuple[State, Answer]:
    one = _find(state, body, call)
    return state, {"Tags": [{"Key": key, "Value": value} for key, value in one.tags.items()]}


def _tags(body: Body, old: Mapping[str, str]) -> dict[str, str]:
    given = {tag["Key"]: tag.get("Value", "") for tag in body.get("Tags", ())}
    for key in given:
        if key.lower().startswith("aws:"):
            raise ServiceError("InvalidTagException", f"Tag key '{key}' cannot begin with 'aws:'.")
    if len({**old, **given}) > MOST_TAGS:
        raise ServiceError("TooManyTagsException", f"A certificate can have at most {MOST_TAGS} tags.")
    return {**old, **given}


# ---------------------------------------------------------------- helpers


def _find(state: State, body: Body, call: Call) -> Certificate:
    arn = _required(body, "CertificateArn")
    if not re.fullmatch(r"arn:[\w+=/,.@-]+:acm:[\w+=/,.@-]*:[0-9]+:[\w+=,.@-]+(/[\w+=,.@-]+)*", arn):
        raise ServiceError("InvalidArnException", f"{arn} is not the ARN of a certificate.")
    if arn not in state.certificates or not arn.startswith(call.prefix):
        raise ServiceError("ResourceNotFoundException", f"Could not find certificate {arn} in account {call.account}.")
    return state.certificates[arn]


def _put(state: State, one: Certificate) -> State:
    return replace(state, certificates={**state.certificates, one.arn: one})


def _required(body: Body, name: str) -> str:
    if not body.get(name):
        member = f"{name[:1].lower()}{name[1:]}"
        raise ServiceError(
            "ValidationException",
            f"1 validation error detected: Value null at '{member}' failed to satisfy constraint: "
            "Member must not be null",
        )
    return str(body[name])


def _only(body: Body, *known: str) -> None:
    unknown: Iterable[str] = sorted(body.keys() - set(known))
    for name in unknown:
        raise ServiceError("ValidationException", f"The local cloud's ACM does not carry the parameter {name}.")


Perform = Callable[[State, Body, Call], tuple[State, Answer]]
ACTIONS: dict[str, Perform] = {
    "RequestCertificate": request,
    "ImportCertificate": import_,
    "DescribeCertificate": describe,
    "GetCertificate": get,
    "ListCertificates": list_,
    "DeleteCertificate": delete,
    "UpdateCertificateOptions": update_options,
    "AddTagsToCertificate": add_tags,
    "RemoveTagsFromCertificate": remove_tags,
    "ListTagsForCertificate": list_tags,
}
