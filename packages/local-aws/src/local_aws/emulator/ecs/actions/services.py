"""Services: a change of one is only recorded here; the scheduler makes it come true."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from local_aws.emulator.ecs import describe
from local_aws.emulator.ecs.arns import new_deployment_id
from local_aws.emulator.ecs.backend import Answer, Backend, Request, invalid, missing, page, tags_in
from local_aws.emulator.ecs.model import (
    Cluster,
    Deployment,
    DeploymentRules,
    LoadBalancer,
    Service,
    TaskDefinition,
)
from local_aws.emulator.wire import ServiceError

MOST_DESCRIBED = 10
# Recorded and shown again; without effect on one machine.
EXTRA = (
    "platformVersion",
    "propagateTags",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "availabilityZoneRebalancing",
)
NOT_HERE = (
    "serviceRegistries",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
    "placementConstraints",
    "placementStrategy",
    "capacityProviderStrategy",
)


def _refuse_unsupported(request: Request) -> None:
    for member in NOT_HERE:
        if request.get(member):
            raise invalid(f"The local cloud does not run a service with {member}; AWS would.")
    fixed = (
        ("launchType", request.get("launchType"), "FARGATE"),
        ("schedulingStrategy", request.get("schedulingStrategy"), "REPLICA"),
        ("deploymentController", (request.get("deploymentController") or {}).get("type"), "ECS"),
        ("deployment strategy", (request.get("deploymentConfiguration") or {}).get("strategy"), "ROLLING"),
    )
    for what, given, only in fixed:
        if given not in (None, only):
            raise invalid(f"The local cloud runs only {what} {only}, not {given}; AWS would.")


def _rules(request: Request, before: DeploymentRules) -> DeploymentRules:
    given = request.get("deploymentConfiguration") or {}
    breaker = given.get("deploymentCircuitBreaker")
    rules = replace(
        before,
        minimum_healthy_percent=given.get("minimumHealthyPercent", before.minimum_healthy_percent),
        maximum_percent=given.get("maximumPercent", before.maximum_percent),
        breaker=before.breaker if breaker is None else breaker["enable"],
        rollback=before.rollback if breaker is None else breaker["rollback"],
    )
    _check_percentages(rules)
    return rules


def _check_percentages(rules: DeploymentRules) -> None:
    if rules.maximum_percent == rules.minimum_healthy_percent == 100:
        raise invalid("Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.")
    if rules.maximum_percent < max(100, rules.minimum_healthy_percent):
        raise invalid("maximumPercent should be at least 100 and not less than minimumHealthyPercent.")


def _load_balancers(backend: Backend, request: Request, definition: TaskDefinition) -> tuple[LoadBalancer, ...]:
    return tuple(_load_balancer(backend, lb, definition) for lb in request.get("loadBalancers") or ())


def _load_balancer(backend: Backend, given: Mapping[str, Any], definition: TaskDefinition) -> LoadBalancer:
    arn, name, port = given.get("targetGroupArn"), given.get("containerName"), given.get("containerPort")
    if not arn or not name or port is None:
        raise invalid("Load balancers should be configured with a target group, a container name and a port.")
    container = next((c for c in definition.containers if c["name"] == name), None)
    if container is None:
        raise invalid(f"The container {name} does not exist in the task definition.")
    if port not in [p["containerPort"] for p in container["portMappings"]]:
        raise invalid(f"The container {name} did not have a container port {port} defined.")
    if not backend.targets.exists(arn):
        raise invalid(f"The specified target group does not exist. targetGroupArn: {arn}")
    if not backend.targets.has_load_balancer(arn):
        raise invalid(f"The target group with targetGroupArn {arn} does not have an associated load balancer.")
    return LoadBalancer(target_group=arn, container=name, port=port)


def _network(request: Request) -> Mapping[str, Any]:
    network: Mapping[str, Any] = request.get("networkConfiguration") or {}
    if not (network.get("awsvpcConfiguration") or {}).get("subnets"):
        raise invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    defaults = {"assignPublicIp": "DISABLED", "securityGroups": []}
    return {"awsvpcConfiguration": defaults | network["awsvpcConfiguration"]}


def _shown(backend: Backend, service: Service, include: Iterable[str] = ()) -> dict[str, Any]:
    return describe.service(service, backend.store.tasks_of(service), include)


def create_service(backend: Backend, request: Request) -> Answer:
    _refuse_unsupported(request)
    with backend.store.lock:
        cluster = backend.cluster(request)
        definition = backend.startable(request.get("taskDefinition") or "")
    balancers = _load_balancers(backend, request, definition)
    if request.get("healthCheckGracePeriodSeconds") is not None and not balancers:
        raise invalid("Health check grace period is only valid for services configured to use load balancers")
    with backend.store.changing():
        made = _new_service(backend, request, cluster, definition, balancers)
        earlier = backend.store.services.get(made.arn)
        if earlier is not None and earlier.status == "DRAINING":
            raise invalid("Unable to Start a service that is still Draining.")
        if earlier is not None and earlier.status == "ACTIVE":
            if made.client_token and made.client_token == earlier.client_token:
                return {"service": _shown(backend, earlier, ["TAGS"])}
            raise invalid("Creation of service was not idempotent.")
        backend.store.services[made.arn] = made
        return {"service": _shown(backend, made, ["TAGS"])}


def _new_service(
    backend: Backend,
    request: Request,
    cluster: Cluster,
    definition: TaskDefinition,
    balancers: tuple[LoadBalancer, ...],
) -> Service:
    now = backend.store.clock()
    extra = {"propagateTags": "NONE", "enableECSManagedTags": False, "enableExecuteCommand": False}
    return Service(
        arn=backend.service_arn(cluster, request["serviceName"]),
        name=request["serviceName"],
        cluster=cluster.arn,
        desired=int(request.get("desiredCount") or 0),
        rules=_rules(request, DeploymentRules()),
        grace=float(request.get("healthCheckGracePeriodSeconds") or 0),
        created_at=now,
        deployments=(_deployment(definition, balancers, _network(request), now),),
        tags=tags_in(request),
        extra=extra | {name: request[name] for name in EXTRA if name in request},
        client_token=request.get("clientToken") or "",
    )


def _deployment(
    definition: TaskDefinition,
    balancers: tuple[LoadBalancer, ...],
    network: Mapping[str, Any],
    now: float,
) -> Deployment:
    return Deployment(
        id=new_deployment_id(),
        task_definition=definition.arn,
        load_balancers=balancers,
        network=network,
        created_at=now,
        updated_at=now,
    )


def update_service(backend: Backend, request: Request) -> Answer:
    _refuse_unsupported(request)
    with backend.store.lock:
        service = backend.service(backend.cluster(request), request["service"])
        wanted = request.get("taskDefinition")
        definition = backend.startable(wanted) if wanted else backend.store.definitions[service.primary.task_definition]
    balancers = None if "loadBalancers" not in request else _load_balancers(backend, request, definition)
    with backend.store.changing():
        service = backend.service(backend.cluster(request), request["service"])
        if service.status != "ACTIVE":
            raise ServiceError("ServiceNotActiveException", "Service was not ACTIVE.")
        changed = _settings_changed(service, request)
        changed = _redeployed(backend, changed, request, definition, balancers)
        backend.store.services[service.arn] = changed
        return {"service": _shown(backend, changed, ["TAGS"])}


def _settings_changed(service: Service, request: Request) -> Service:
    grace = request.get("healthCheckGracePeriodSeconds")
    desired = request.get("desiredCount")
    return replace(
        service,
        desired=service.desired if desired is None else int(desired),
        rules=_rules(request, service.rules),
        grace=service.grace if grace is None else float(grace),
        extra={**service.extra, **{name: request[name] for name in EXTRA if name in request}},
        steady=service.steady and desired in (None, service.desired),
    )


def _redeployed(
    backend: Backend,
    service: Service,
    request: Request,
    definition: TaskDefinition,
    balancers: tuple[LoadBalancer, ...] | None,
) -> Service:
    """A new PRIMARY deployment when what tasks are made of changed, or when it is forced."""
    primary = service.primary
    network = _network(request) if "networkConfiguration" in request else primary.network
    made = _deployment(
        definition,
        primary.load_balancers if balancers is None else balancers,
        network,
        backend.store.clock(),
    )
    before = (primary.task_definition, primary.load_balancers, primary.network)
    same = before == (made.task_definition, made.load_balancers, made.network)
    if same and not request.get("forceNewDeployment"):
        return service
    return replace(service, deployments=(made, *service.deployments), steady=False)


def describe_services(backend: Backend, request: Request) -> Answer:
    wanted = request.get("services") or []
    if not wanted:
        raise invalid("Services cannot be empty.")
    if len(wanted) > MOST_DESCRIBED:
        raise invalid("Services cannot have more than 10 elements.")
    include = request.get("include") or ()
    with backend.store.lock:
        cluster = backend.cluster(request)
        arns = [backend.service_arn(cluster, given) for given in wanted]
        found = [s for arn in arns if (s := backend.store.services.get(arn))]
        known = {s.arn for s in found}
        return {
            "services": [_shown(backend, s, include) for s in found],
            "failures": missing(arn for arn in arns if arn not in known),
        }


def list_services(backend: Backend, request: Request) -> Answer:
    with backend.store.lock:
        cluster = backend.cluster(request)
        found = [s.arn for s in backend.store.services.values() if s.cluster == cluster.arn and s.status != "INACTIVE"]
    return page(found, {"maxResults": 10, **request}, "serviceArns")


def delete_service(backend: Backend, request: Request) -> Answer:
    with backend.store.changing():
        service = backend.service(backend.cluster(request), request["service"])
        if service.status == "INACTIVE":
            raise ServiceError("ServiceNotFoundException", "Service not found.")
        if service.desired > 0 and not request.get("force"):
            raise invalid("The service cannot be stopped while it is scaled above 0.")
        drained = replace(service, status="DRAINING", desired=0)
        backend.store.services[service.arn] = drained
        return {"service": _shown(backend, drained, ["TAGS"])}
