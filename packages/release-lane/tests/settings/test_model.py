"""A stack's settings: parsed once, and every problem reported at once, with its path."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel
from release_lane.decide.decision import OnAlarm, OnDrift
from release_lane.decide.shift import Shift
from release_lane.errors import UsageError
from release_lane.record.alarms import Kind, Watched
from release_lane.record.asking import Identify
from release_lane.record.names import Access, Names
from release_lane.record.placement import Colour, Service
from release_lane.settings.artifacts import ArtifactsSettings
from release_lane.settings.flags import FlagsSettings
from release_lane.settings.model import ALL_PER_RUN, EnvironmentSettings, Settings, parse
from release_lane.settings.service import FARGATE_MEMORY
from release_lane.settings.variables import RESERVED

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parents[4]
EXAMPLE = ROOT / "docs" / "stack-settings.example.yaml"
PARAMETER = "arn:aws:ssm:us-east-1:000000000000:parameter/a"
DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


def raw(**values: Any) -> dict[str, str]:
    """A stack's configuration as the engine hands it over: text, JSON for anything structured."""
    plain = values.get("role") != "artifacts" and not {"https", "insecure"} & values.keys()
    given = {"aws:region": "us-east-1", "p:account": "000000000000", **({"p:insecure": "true"} if plain else {})}
    given |= {f"p:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    return given


def environment(**values: Any) -> EnvironmentSettings:
    settings = parse(raw(**values), "p", "staging")
    assert isinstance(settings, EnvironmentSettings)
    return settings


def problems(**values: Any) -> list[str]:
    """The lines that name what is wrong."""
    with pytest.raises(UsageError) as refused:
        parse(raw(**values), "p", "staging")
    first, *lines = refused.value.what.splitlines()
    assert first == "The stack's settings are wrong (Pulumi.staging.yaml, or given by -c); nothing was changed:"
    assert refused.value.next_step == "correct Pulumi.staging.yaml (all keys: `release settings`)."
    return [line.strip() for line in lines]


def problem(**values: Any) -> str:
    (only,) = problems(**values)
    return only


# ---- what is right


def test_an_environment_needs_only_region_and_account() -> None:
    settings = environment()
    assert settings.release_service() == Service()
    assert (settings.digest, settings.rollback_from, settings.on_drift, settings.promotes_from) == (None,) * 4


def test_configuration_becomes_part_of_the_release() -> None:
    service = {"cpu": 512, "memory": 1024, "desiredCount": 3, "port": 9000, "healthPath": "/ready", "statusPath": ""}
    settings = environment(service=service, smoke={"identify": "none"}, env={"A": "1"}, secrets={"B": PARAMETER})
    assert settings.release_service() == Service(
        cpu=512, memory=1024, desired_count=3, port=9000, health_path="/ready", status_path="", identify=Identify.NONE,
        env={"A": "1"}, secrets={"B": PARAMETER},
    )  # fmt: skip


def test_what_is_given_per_run_is_read() -> None:
    settings = environment(imageDigest=DIGEST, rollbackFrom=OTHER, onDrift="restore", onAlarm="proceed")
    assert (settings.digest, settings.rollback_from, settings.on_drift) == (DIGEST, OTHER, OnDrift.RESTORE)
    assert settings.on_alarm is OnAlarm.PROCEED


def test_the_artifacts_stack_has_settings_of_its_own() -> None:
    assert parse(raw(role="artifacts", source="/x"), "p", "staging") == ArtifactsSettings(
        role="artifacts", account="000000000000", source="/x"
    )
    assert problem(role="artifacts", imageDigest=DIGEST) == "imageDigest: is not a known key"


def test_keys_of_other_projects_are_left_alone() -> None:
    settings = parse({**raw(), "aws:profile": "x", "datadog:whatever": "{"}, "p", "staging")
    assert isinstance(settings, EnvironmentSettings)


def test_users_are_moved_all_at_once_and_unwatched_unless_the_stack_says_otherwise() -> None:
    assert environment().wanted_shift == Shift(steps=(100,), bake=0)
    assert environment(shift={"steps": [10, 50, 100], "bakeSeconds": 60}).wanted_shift == Shift(
        steps=(10, 50, 100), bake=60
    )


def test_only_alarms_with_a_threshold_are_made_and_watched() -> None:
    names = Names.of("p-s", access=Access(region="r", account="0"), users_port=80, log_group="/p/s", repository="p/app")
    assert environment().alarms.watched(names) == Watched()
    alarms = environment(alarms={"errorPercent": 5, "unhealthyTargets": 1, "names": ["orders"]}).alarms
    assert alarms.thresholds() == {Kind.ERRORS: 5.0, Kind.UNHEALTHY: 1.0}
    own = {f"p-s-{colour}-{kind}": colour for colour in Colour for kind in ("errors", "unhealthy")}
    assert alarms.watched(names) == Watched(own=own, theirs=("orders",))


@pytest.mark.parametrize(("said", "tasks"), [("keep", None), (0, 0), (3, 3)])
def test_the_idle_colour_keeps_everything_unless_a_number_of_tasks_is_given(said: Any, tasks: int | None) -> None:
    assert environment().idle.tasks is None
    assert environment(idle={"afterWatch": said}).idle.tasks == tasks


# ---- what is wrong


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({"shift": {"steps": ["10", 100]}}, "shift.steps.0: Input should be a valid integer, not '10'"),
        ({"shift": {"steps": [True, 100]}}, "shift.steps.0: Input should be a valid integer, not True"),
        ({"shift": {"steps": []}}, "shift.steps: List should have at least 1 item after validation, not 0"),
        ({"shift": {"steps": "10,100"}}, "shift.steps: Input should be a valid list, not '10,100'"),
        ({"shift": {"steps": [0, 100]}}, "shift.steps.0: Input should be greater than or equal to 1, not 0"),
        *(
            ({"shift": {"steps": steps}}, f"shift.steps: must rise strictly and end with 100, not {steps}")
            for steps in ([10, 10, 100], [50, 10, 100], [10, 50], [100, 100])
        ),
        (
            {"notify": {"topic": "releases"}},
            "notify.topic: should be the ARN of an SNS topic (a standard one, not FIFO)",
        ),
        (
            {"notify": {"webhook": "http://h/1"}},
            "notify.webhook: should be an https URL, or the ARN of the secret or SSM "
            "parameter that holds it (http: this machine only)",
        ),
        (
            {"notify": {"events": ["deploy"]}},
            "notify.events.0: Input should be 'refused', 'breach', 'rollback' or 'recovered', not 'deploy'",
        ),
        ({"notify": {"on": []}}, "notify.on: is not a known key"),
        ({"shift": {"bakeSeconds": -1}}, "shift.bakeSeconds: Input should be greater than or equal to 0, not -1"),
        (
            {"shift": {"bakeSeconds": 90000}},
            "shift.bakeSeconds: Input should be less than or equal to 86400, not 90000",
        ),
        *(
            (
                {"alarms": {"periodSeconds": period}},
                f"alarms.periodSeconds: CloudWatch takes 10, 20, 30 or n times 60, not {period}",
            )
            for period in (1, 5, 45)
        ),
        ({"alarms": {"names": ["a", "a"]}}, "alarms.names: a is named twice"),
        ({"alarms": {"actions": ["x"]}}, "alarms.actions.0: should be an ARN of at most 1024 characters"),
        ({"alarms": {"errorPercent": 0}}, "alarms.errorPercent: Input should be greater than 0, not 0"),
        ({"drill": "both"}, "drill: Input should be 'back', 'forward' or 'passed', not 'both'"),
        (
            {"drill": "back", "imageDigest": f"sha256:{'a' * 64}"},
            "drill: back moves traffic; give imageDigest and rollbackFrom as well",
        ),
        (
            {"requireDrill": "true"},
            "requireDrill: asks for a drill in the environment before, but promotesFrom names none",
        ),
        (
            {"parity": {"required": True}},
            "parity.required: compares with the environment before, but promotesFrom names none",
        ),
        ({"parity": {"expect": [{"what": "a", "why": "b"}] * 2}}, "parity.expect: a stands there twice"),
        ({"onAlarm": "ignore"}, "onAlarm: Input should be 'proceed', not 'ignore'"),
        *(
            ({"idle": {"afterWatch": value}}, f"idle.afterWatch: should be keep or 0 to 200 tasks, not {value!r}")
            for value in ("none", -1, 201, True, 1.5, None)
        ),
    ],
    ids=str,
)
def test_steps_alarms_and_idle_tasks_have_their_bounds(values: dict[str, Any], shown: str) -> None:
    assert problem(**values) == shown


def test_metrics_by_less_than_a_minute_are_for_the_local_cloud_alone() -> None:
    assert environment(alarms={"periodSeconds": 10}).alarms.period_seconds == 10
    shown = problem(account="123456789012", alarms={"periodSeconds": 10})
    assert shown == "alarms.periodSeconds: on AWS a load balancer's metrics come by the minute; not less than 60"


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({"imagedigest": DIGEST}, "imagedigest: is not a known key; did you mean `imageDigest`?"),
        ({"health-check": {}}, "health-check: is not a known key; did you mean `healthCheck`?"),
        ({"services": {}}, "services: is not a known key; did you mean `service`?"),
        ({"service": {"desired_cont": 2}}, "service.desired_cont: is not a known key; did you mean `desiredCount`?"),
        ({"service": {"prot": 2}}, "service.prot: is not a known key; did you mean `port`?"),
        ({"image_tag": "x"}, "image_tag: is not a known key"),
        ({"service": {"replicas": 2}}, "service.replicas: is not a known key"),
        ({"healthCheck": {"path": "/"}}, "healthCheck.path: is not a known key"),
        ({"network": {"subnets": []}}, "network.subnets: is not a known key"),
    ],
)
def test_unknown_keys_are_refused_with_their_path(values: dict[str, Any], shown: str) -> None:
    assert problem(**values) == shown


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"service": {"cpu": "fast"}}, "service.cpu"),
        ({"service": {"cpu": 300}}, "service.cpu"),
        ({"service": {"memory": "much"}}, "service.memory"),
        ({"service": {"desiredCount": 0}}, "service.desiredCount"),
        ({"service": {"desiredCount": 201}}, "service.desiredCount"),
        ({"service": {"desiredCount": 1.5}}, "service.desiredCount"),
        ({"service": {"desiredCount": True}}, "service.desiredCount"),
        ({"service": {"port": 0}}, "service.port"),
        ({"service": {"port": 65536}}, "service.port"),
        ({"service": {"healthPath": "health"}}, "service.healthPath"),
        ({"service": {"statusPath": "status"}}, "service.statusPath"),
        ({"smoke": {"identify": "body"}}, "smoke.identify"),
        ({"service": "small"}, "service"),
        ({"service": [1]}, "service"),
        ({"service": "{not json"}, "service"),
        ({"env": {"A": 1}}, "env.A"),
        ({"env": {"A": None}}, "env.A"),
        ({"env": ["A=1"]}, "env"),
        ({"secrets": {"A": {"arn": "x"}}}, "secrets.A"),
        ({"healthCheck": {"intervalSeconds": 4}}, "healthCheck.intervalSeconds"),
        ({"healthCheck": {"drainSeconds": -1}}, "healthCheck.drainSeconds"),
        ({"smoke": {"deadlineSeconds": 0}}, "smoke.deadlineSeconds"),
        ({"rollout": {"deadlineSeconds": 9}}, "rollout.deadlineSeconds"),
        ({"network": {"cidr": "10.20.0.0/24"}}, "network.cidr"),
        ({"testAccess": "192.0.2.0/24"}, "testAccess"),
        ({"account": "12345"}, "account"),
        ({"account": "arn:aws:iam::000000000000"}, "account"),
        ({"role": "registry"}, "role"),
        ({"onDrift": "ignore"}, "onDrift"),
    ],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value),
)
def test_ill_typed_values_are_refused_with_their_path(values: dict[str, Any], path: str) -> None:
    assert problem(**values).split(":")[0] == path


def test_what_is_missing_is_named() -> None:
    with pytest.raises(UsageError) as refused:
        parse({}, "p", "staging")
    assert "aws:region: is missing" in refused.value.what
    assert "account: is missing" in refused.value.what


def test_all_problems_are_reported_at_once() -> None:
    shown = problems(
        account="1",
        imageDigest="latest",
        colour="blue",
        service={"cpu": 3, "size": "big"},
        env={"A": 1},
        onDrift="ignore",
    )
    assert sorted(line.split(": ")[0] for line in shown) == [
        "account",
        "colour",
        "env.A",
        "imageDigest",
        "onDrift",
        "service.cpu",
        "service.size",
    ]


def test_problems_of_several_keys_together_are_reported_with_the_others() -> None:
    shown = problems(
        colour="blue",
        service={"cpu": 256, "memory": 4096},
        healthCheck={"intervalSeconds": 5, "timeoutSeconds": 5},
        rollbackFrom=DIGEST,
        env={"PORT": "1", "A": "1"},
        secrets={"A": PARAMETER},
    )
    assert sorted(line.split(": ")[0] for line in shown) == [
        "colour",
        "env.PORT",
        "healthCheck.timeoutSeconds",
        "rollbackFrom",
        "secrets.A",
        "service.memory",
    ]


@pytest.mark.parametrize("key", ["imageDigest", "rollbackFrom"])
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("latest", "it is a tag"),
        ("v1.2.3", "it is a tag"),
        ("a" * 64, "the prefix sha256: is missing"),
        ("sha256:" + "A" * 64, "lower-case"),
        ("sha256:" + "a" * 63, "here are 63 characters"),
        (f"registry.example/app@{DIGEST}", "only the part after the @"),
    ],
)
def test_only_a_digest_names_an_image(key: str, text: str, why: str) -> None:
    given = {"imageDigest": DIGEST, key: text}
    shown = problem(**given)
    assert shown.startswith(f"{key}: ")
    assert why in shown


# ---- keys that only together are wrong


@pytest.mark.parametrize("cpu", FARGATE_MEMORY)
def test_every_size_that_fargate_has_is_accepted(cpu: int) -> None:
    for memory in FARGATE_MEMORY[cpu]:
        assert environment(service={"cpu": cpu, "memory": memory}).service.memory == memory


@pytest.mark.parametrize(
    ("cpu", "memory"),
    [
        (256, 256),
        (256, 4096),
        (256, 513),
        (512, 512),
        (512, 5120),
        (1024, 1024),
        (1024, 2049),
        (2048, 2048),
        (4096, 4096),
    ],
)
def test_a_size_that_fargate_does_not_have_is_refused_with_those_it_has(cpu: int, memory: int) -> None:
    shown = problem(service={"cpu": cpu, "memory": memory})
    allowed = ", ".join(map(str, FARGATE_MEMORY[cpu]))
    assert shown == f"service.memory: with cpu {cpu} Fargate takes one of {allowed}"


def test_the_sizes_are_fargates() -> None:
    """AWS, task size for Fargate: 0.25 vCPU 0.5, 1, 2 GB; 0.5: 1-4; 1: 2-8; 2: 4-16; 4: 8-30, in steps of 1 GB."""
    ends = {cpu: (sizes[0], sizes[-1], len(sizes)) for cpu, sizes in FARGATE_MEMORY.items()}
    assert ends == {
        256: (512, 2048, 3),
        512: (1024, 4096, 4),
        1024: (2048, 8192, 7),
        2048: (4096, 16384, 13),
        4096: (8192, 30720, 23),
    }
    known = EnvironmentSettings.model_fields["service"].annotation.model_fields["cpu"].annotation  # type: ignore[union-attr]
    assert set(get_args(known)) == set(FARGATE_MEMORY)


def test_a_health_check_must_answer_within_its_interval() -> None:
    shown = problem(healthCheck={"intervalSeconds": 10, "timeoutSeconds": 10})
    assert shown == "healthCheck.timeoutSeconds: must be less than healthCheck.intervalSeconds"


def test_a_rollback_must_say_where_to() -> None:
    assert problem(rollbackFrom=DIGEST).startswith("rollbackFrom: ")


def test_an_earlier_image_with_todays_configuration_says_where_to_and_is_no_complete_release() -> None:
    assert problem(redeployFrom=DIGEST).startswith("redeployFrom: says what is left")
    for key in ("rollbackFrom", "forwardFrom"):
        assert "give one of them" in problem(imageDigest=OTHER, redeployFrom=DIGEST, **{key: DIGEST})


def test_the_end_of_a_hold_is_all_that_an_update_does() -> None:
    assert environment(holdEnd="old").hold_end == "old"
    assert environment(holdEnd="new", holdOf=DIGEST).hold_of == DIGEST
    assert problem(holdEnd="new").startswith("holdOf: is missing")
    for more in ({"imageDigest": DIGEST}, {"holdEnd": "old"}):
        assert "asItStands: is for what follows on a way back" in problem(asItStands=True, **more)
    assert problem(holdOf=DIGEST).startswith("holdOf: says which release is held")
    for more in ({"imageDigest": DIGEST}, {"onDrift": "restore"}, {"drill": "passed"}):
        assert problem(holdEnd="old", **more).startswith("holdEnd: ends the hold and does nothing else")


def test_a_release_is_held_where_the_stack_file_says_so_but_no_half_of_a_drill() -> None:
    shift = {"steps": [10, 100], "hold": 30}
    assert environment(shift=shift).wanted_shift == Shift(steps=(10, 100), hold=30)
    drilled = environment(shift=shift, drill="forward", imageDigest=DIGEST, rollbackFrom=OTHER)
    assert drilled.wanted_shift == Shift(steps=(10, 100))


def test_a_variable_comes_from_one_place() -> None:
    assert problem(env={"A": "1"}, secrets={"A": PARAMETER}).startswith("secrets.A: ")


@pytest.mark.parametrize("name", sorted(RESERVED))
@pytest.mark.parametrize("place", ["env", "secrets"])
def test_the_programs_own_variables_cannot_be_given(place: str, name: str) -> None:
    assert "is set by the program itself" in problem(**{place: {name: PARAMETER}})


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "Ä"])
def test_a_variable_must_have_a_name_that_shells_accept(name: str) -> None:
    assert "is not a name of an environment variable" in problem(env={name: "x"})


# ---- the files


def settings_in(document: Any, stack: str = "production") -> Settings:
    """A stack file's content, parsed as the engine would hand it over."""
    config: dict[str, Any] = document["config"]
    given = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    return parse(given, "release-lane", stack)


def documents() -> list[Any]:
    return list(yaml.safe_load_all(EXAMPLE.read_text()))


def keys_of(model: type[BaseModel]) -> dict[str, Any]:
    """Every key a model knows, nested ones as dictionaries."""
    return {
        field.alias or name: keys_of(field.annotation)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        else None
        for name, field in model.model_fields.items()
    }


@pytest.mark.parametrize(("index", "model"), [(0, EnvironmentSettings), (1, ArtifactsSettings)])
def test_the_annotated_example_shows_every_key_and_parses(index: int, model: type[BaseModel]) -> None:
    document = documents()[index]
    assert isinstance(settings_in(document), model)
    own = {key.split(":", 1)[1]: value for key, value in document["config"].items() if key.startswith("release-lane:")}
    known = keys_of(model)
    # Of what excludes something else, a comment shows how it is written.
    noted = {
        *re.findall(r"# release-lane:(\w+): ", EXAMPLE.read_text()),
        *re.findall(r"(certificateArn): arn", EXAMPLE.read_text()),
    }
    assert set(own) == set(known) - noted
    for key, nested in known.items():
        if nested:
            assert set(own[key]) == set(nested) - noted, key


def test_the_annotated_example_shows_what_only_the_flags_of_an_environment_have() -> None:
    document = documents()[2]
    settings = settings_in(document, "production-flags")
    assert isinstance(settings, FlagsSettings)
    assert settings.asked == {"new_checkout": 25}
    own = set(keys_of(FlagsSettings)) - set(keys_of(EnvironmentSettings)) | {"role", "account"}
    shown = {key.split(":", 1)[1] for key in document["config"] if key.startswith("release-lane:")}
    assert shown | {"undoFlags"} == own
    assert "# release-lane:undoFlags: true" in EXAMPLE.read_text()


def test_the_annotated_example_shows_the_defaults() -> None:
    shown = settings_in(documents()[0])
    plain = environment()
    assert isinstance(shown, EnvironmentSettings)
    for key in ("role", "artifacts", "service", "health_check", "smoke", "rollout"):
        assert getattr(shown, key) == getattr(plain, key), key
    assert shown.network.cidr == plain.network.cidr


def test_every_key_for_one_update_is_a_setting() -> None:
    models = (EnvironmentSettings, ArtifactsSettings, FlagsSettings)
    assert {*ALL_PER_RUN} <= {field.alias for model in models for field in model.model_fields.values()}


@pytest.mark.parametrize("path", sorted(ROOT.glob("Pulumi.*.yaml")), ids=lambda path: path.name)
def test_committed_stack_files_parse_once_their_account_is_filled_in(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    blank = ["account"]
    if https := content["config"].get("release-lane:https"):
        blank += [f"https.{key}" for key in https]
    with pytest.raises(UsageError, match="account: is still to be filled in") as refused:
        settings_in(content, path.name.split(".")[1])
    for key in blank:
        assert f"\n  {key}: is still to be filled in" in str(refused.value)
    assert str(refused.value).count("\n  ") == len(blank), "nothing else is wrong"
    content["config"]["release-lane:account"] = "000000000000"
    if https:
        content["config"]["release-lane:https"] = {"domain": "shop.example.com", "hostedZone": "Z1"}
    settings_in(content, path.name.split(".")[1])


def test_a_status_that_does_not_exist_cannot_say_which_release_it_is() -> None:
    said = "smoke.identify: status needs a service.statusPath; without one give header or none"
    assert problem(service={"statusPath": ""}) == said
    for how in ("header", "none"):
        environment(service={"statusPath": ""}, smoke={"identify": how})


# ---- how users come in


DOMAIN = "shop.example.com"
CERTIFICATE = "arn:aws:acm:us-east-1:000000000000:certificate/1"


def test_how_users_come_in_has_to_be_said_and_plain_http_by_name() -> None:
    with pytest.raises(UsageError) as refused:
        parse({"aws:region": "us-east-1", "p:account": "000000000000"}, "p", "staging")
    assert "https: is missing" in refused.value.what
    assert "for plain HTTP write insecure: true" in refused.value.what
    assert problem(insecure=False).startswith("https: is missing")
    assert environment(insecure=True).https.domain == ""


@pytest.mark.parametrize("how", [{"hostedZone": "Z1"}, {"certificateArn": CERTIFICATE}])
def test_https_is_a_domain_and_how_its_certificate_is_come_by(how: dict[str, str]) -> None:
    found = environment(https={"domain": DOMAIN, **how})
    assert (found.https.domain, found.https.hsts_seconds) == (DOMAIN, 0)


@pytest.mark.parametrize(("length", "how"), [(64, {"hostedZone": "Z1"}), (253, {"certificateArn": CERTIFICATE})])
def test_a_name_has_64_characters_where_its_certificate_is_requested_and_253_where_it_is_there(
    length: int, how: dict[str, str]
) -> None:
    parts = "a" * 63 + "." + "b" * 63 + "." + "c" * 63 + "." + "d" * 61
    name = parts[-length:].lstrip(".")
    assert len(name) == length
    assert environment(https={"domain": name, **how}).https.domain == name


@pytest.mark.parametrize(
    ("https", "said"),
    [
        ({"hostedZone": "Z1"}, "https.domain: is missing"),
        ({"domain": DOMAIN}, "https.hostedZone: is missing"),
        (
            {"domain": DOMAIN, "hostedZone": "Z1", "certificateArn": CERTIFICATE},
            "https.hostedZone: is for a certificate",
        ),
        ({"domain": "*.example.com", "hostedZone": "Z1"}, "https.domain: should be the name"),
        ({"domain": f"{'a' * 49}.long.example.com", "hostedZone": "Z1"}, "https.domain: has 66 characters, and ACM"),
        (
            {"domain": DOMAIN, "certificateArn": CERTIFICATE.replace("us-east-1", "eu-west-1")},
            "https.certificateArn: is in eu-west-1",
        ),
    ],
    ids=str,
)
def test_what_https_lacks_is_said_once(https: dict[str, str], said: str) -> None:
    assert problem(https=https).startswith(said)


def test_plain_http_next_to_https_is_refused() -> None:
    assert problem(https={"domain": DOMAIN, "hostedZone": "Z1"}, insecure=True).startswith("insecure: there is https")


def test_the_load_balancer_is_kept_where_digests_are_promoted_to() -> None:
    assert environment(promotesFrom="dev").keeps_balancer
    assert not environment().keeps_balancer
    assert not environment(promotesFrom="dev", deletionProtection=False).keeps_balancer
    assert environment(deletionProtection=True).keeps_balancer
