"""What makes a listener one for HTTPS: protocol, security policy, certificates.

https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html and its siblings.
"""

from __future__ import annotations

from dataclasses import replace

from local_aws.emulator.elbv2 import shapes
from local_aws.emulator.elbv2.actions.call import Call, Fitness, page
from local_aws.emulator.elbv2.errors import missing, not_permitted, unsupported, wrong
from local_aws.emulator.elbv2.model import HTTP, HTTPS, Listener, State
from local_aws.emulator.elbv2.query import Params
from local_aws.emulator.elbv2.shapes import Shape
from local_aws.emulator.elbv2.tls import DEFAULT_POLICY, POLICIES, Policy
from local_aws.emulator.wire import ServiceError

PARAMETERS = ("Protocol", "SslPolicy", "Certificates", "AlpnPolicy", "MutualAuthentication")
MOST_CERTIFICATES = 25
"""Of one listener, besides the default one."""


def secured(one: Listener, params: Params, call: Call) -> Listener:
    """The listener with the protocol, policy and default certificate that the request asks for, or with its own."""
    _only_plain_tls(params)
    protocol = params.text("Protocol", one.protocol)
    given = _given(params)
    if protocol == HTTP:
        if given:
            raise wrong("A certificate can be specified for HTTPS listeners only")
        if params.text("SslPolicy"):
            # Spelled as AWS does.
            raise wrong("An SSL policy cannot be specifed for HTTP listeners")
        return replace(one, protocol=HTTP, policy="", certificates=())
    if protocol != HTTPS:
        raise ServiceError("UnsupportedProtocol", str(unsupported(f"{protocol} listeners")))
    if not given and not one.certificates:
        raise wrong("A certificate must be specified for HTTPS listeners")
    if given:
        _check(given, call)
    more = tuple(arn for arn in one.certificates[1:] if arn not in given)
    policy = _policy(params.text("SslPolicy", one.policy or DEFAULT_POLICY))
    return replace(one, protocol=HTTPS, policy=policy.name, certificates=(*(given or one.certificates[:1]), *more))


def _only_plain_tls(params: Params) -> None:
    if params.texts("AlpnPolicy"):
        raise wrong("AlpnPolicy can be specified for TLS listeners of Network Load Balancers only")
    mutual = params.struct("MutualAuthentication")
    if mutual and mutual.text("Mode", "off") != "off":
        raise unsupported("mutual TLS")


def _given(params: Params) -> tuple[str, ...]:
    """The default certificate that the request names, if any."""
    found = tuple(one.required("CertificateArn") for one in params.structs("Certificates"))
    if len(found) > 1:
        raise ServiceError("TooManyCertificates", "Exactly one default certificate must be specified")
    return found


def _policy(name: str) -> Policy:
    if name not in POLICIES:
        raise ServiceError("SSLPolicyNotFound", f"SSL policy '{name}' not found")
    return POLICIES[name]


def _check(arns: tuple[str, ...], call: Call) -> None:
    for arn in arns:
        match call.certificate(arn):
            case Fitness.MISSING:
                raise ServiceError("CertificateNotFound", f"Certificate '{arn}' not found")
            case Fitness.UNFIT:
                raise ServiceError(
                    "UnsupportedCertificate",
                    f"The certificate '{arn}' must have a fully-qualified domain name, a supported signature, "
                    "and a supported key size.",
                )
            case Fitness.FIT:
                pass


def add(state: State, params: Params, call: Call) -> tuple[State, Shape]:
    """One that is there already stays as it is."""
    one, arns = _https(state, params), _named(params)
    _check(arns, call)
    after = replace(one, certificates=tuple(dict.fromkeys([*one.certificates, *arns])))
    if len(after.certificates) - 1 > MOST_CERTIFICATES:
        raise ServiceError("TooManyCertificates", f"A listener can have at most {MOST_CERTIFICATES} certificates")
    return _put(state, after), {"Certificates": [each for each in shapes.certificates(after) if _is_of(each, arns)]}


def remove(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    one, arns = _https(state, params), _named(params)
    if one.certificates[0] in arns:
        raise not_permitted(f"Default certificate '{one.certificates[0]}' cannot be removed from the listener")
    return _put(state, replace(one, certificates=tuple(arn for arn in one.certificates if arn not in arns))), {}


def describe(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    shown, more = page(shapes.certificates(find(state, params)), params)
    return state, {"Certificates": shown, **more}


def describe_policies(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    names = params.texts("Names")
    shown, more = page([_policy(name) for name in names] if names else list(POLICIES.values()), params)
    return state, {"SslPolicies": [shapes.policy(one) for one in shown], **more}


def find(state: State, params: Params) -> Listener:
    """The one that the request names."""
    arn = params.required("ListenerArn")
    if arn not in state.listeners:
        raise missing("Listener", arn)
    return state.listeners[arn]


def _https(state: State, params: Params) -> Listener:
    one = find(state, params)
    if one.protocol != HTTPS:
        raise wrong("Certificates can be specified for HTTPS listeners only")
    return one


def _named(params: Params) -> tuple[str, ...]:
    found = tuple(one.required("CertificateArn") for one in params.structs("Certificates"))
    if not found:
        raise wrong("At least one certificate must be specified")
    return found


def _is_of(shown: Shape, arns: tuple[str, ...]) -> bool:
    return shown["CertificateArn"] in arns


def _put(state: State, one: Listener) -> State:
    return replace(state, listeners={**state.listeners, one.arn: one})
