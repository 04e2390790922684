"""pulumi-docker's `Image`: build a directory, push it, and know it by the digest that the registry gave it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from provider_kit import UNKNOWN, Change, Context, Props, Resource, State, UserError, has_unknown
from typing_extensions import override

from local_aws.standins.docker.command import (
    CommandFailed,
    Docker,
    Login,
    environment_build_args,
    pushed_digest,
)
from local_aws.standins.docker.context import digest
from local_aws.standins.loopback import is_loopback
from local_aws.standins.schema import REGISTRY as PAGES
from local_aws.standins.schema import Prop, Source, Table, filled, missing, problems

NATIVE = "https://github.com/pulumi/pulumi-docker/blob/master/"
BUILD: Table = {
    "context": Prop(default="."),
    "dockerfile": Prop(),
    "args": Prop(),
    "target": Prop(),
    "platform": Prop(departs="not filled in with this machine's where it is left out"),
    "network": Prop(),
    "addHosts": Prop(),
    "cacheFrom": Prop(fields={"images": Prop(required=True)}),
    "builderVersion": Prop(departs="taken and ignored: the local cloud builds without BuildKit"),
}
REGISTRY: Table = {"server": Prop(), "username": Prop(), "password": Prop()}


class Image(Resource):
    """Its id is the image's name. Deleting it leaves the image where it is, as with the official plugin."""

    token = "docker:index/image:Image"
    props: ClassVar[Table] = {
        "imageName": Prop(required=True),
        "build": Prop(fields=BUILD, default={}),
        "registry": Prop(fields=REGISTRY),
        "skipPush": Prop(default=False),
        "buildOnPreview": Prop(default=False),
    }
    outputs = frozenset({"baseImageName", "registryServer", "repoDigest", "context", "dockerfile", "platform"})
    computed = outputs
    source = Source(f"{PAGES}docker/api-docs/image/", f"{NATIVE}provider/image.go")

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    @override
    def check(self, ctx: Context, inputs: Props, old: Props | None) -> tuple[Props, list[tuple[str, str]]]:
        given = _without_digest(inputs)
        wrong = list(problems(self.props, given, "pulumi-docker"))
        if wrong:
            return inputs, wrong
        values = filled(self.props, given)
        if values["build"] is UNKNOWN:
            return values, []
        build = filled(BUILD, values["build"])
        if build["context"] is not UNKNOWN:
            build.setdefault("dockerfile", str(Path(build["context"], "Dockerfile")))
        values["build"] = build
        wrong = [*missing(self.props, values), *_missing_files(build), *self._remote_registry(values)]
        if not wrong and not has_unknown([build["context"], build["dockerfile"]]):
            # as with the official plugin, part of the inputs: changed files are a changed image
            build["contextDigest"] = digest(Path(build["context"]), Path(build["dockerfile"]))
        return values, wrong

    @override
    def diff(self, ctx: Context, old: State, inputs: Props, ignore: Sequence[str]) -> list[Change]:
        changes = super().diff(ctx, old, inputs, ignore)
        # a registry's password is another one at every run; it is no reason to build anew
        login = ("registry.username", "registry.password")
        return [change for change in changes if change.path not in login]

    @override
    def preview(self, ctx: Context, inputs: Props, old: State | None) -> Props:
        if inputs["buildOnPreview"] is True and not has_unknown(inputs):
            self._build(ctx, self._docker(), inputs)
        outputs = super().preview(ctx, inputs, None)
        return outputs if has_unknown(inputs) else outputs | self._outputs(inputs, UNKNOWN)

    @override
    def create(self, ctx: Context, inputs: Props) -> tuple[str, Props]:
        return str(inputs["imageName"]), self._build_and_push(ctx, inputs)

    @override
    def update(self, ctx: Context, old: State, inputs: Props) -> Props:
        return self._build_and_push(ctx, inputs)

    def _docker(self) -> Docker:
        return Docker(self._environment)

    def _build_and_push(self, ctx: Context, inputs: Props) -> Props:
        name = local_name(inputs["imageName"], self._environment)
        with self._docker().logged_in(_login(inputs, registry_host(name))) as docker:
            self._build(ctx, docker, inputs)
            if inputs["skipPush"]:
                ctx.warn("not pushed, as skipPush says: so repoDigest is this machine's id of the image")
                return self._outputs(inputs, docker.image_id(ctx, name))
            pushed = _push(ctx, docker, name)
        return self._outputs(inputs, f"{repository(inputs['imageName'])}@{pushed}")

    def _build(self, ctx: Context, docker: Docker, inputs: Props) -> None:
        name = local_name(inputs["imageName"], self._environment)
        local = environment_build_args(self._environment)
        command = build_command(name, inputs["build"], local, docker.platform())
        try:
            docker.run(ctx, command, local)
        except CommandFailed as error:
            raise UserError(f"the build of {inputs['imageName']} failed:\n{error.tail}") from error

    def _remote_registry(self, values: Props) -> list[tuple[str, str]]:
        name = values.get("imageName")
        if not isinstance(name, str) or values["skipPush"] is True:
            return []
        host = registry_host(local_name(name, self._environment))
        if is_loopback(host.rpartition(":")[0] or host):
            return []
        advice = "this is the local cloud's stand-in for pulumi-docker; for a real registry use the official plugin"
        return [("imageName", f"{host} is not a registry of this machine: {advice}")]

    def _outputs(self, inputs: Props, repo_digest: Any) -> Props:
        name, build = inputs["imageName"], inputs["build"]
        return {
            "baseImageName": name,
            "registryServer": registry_host(name),
            "repoDigest": repo_digest,
            "context": build["context"],
            "dockerfile": build["dockerfile"],
            "platform": build.get("platform"),
        }


ECR = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?=/)")


def local_name(name: str, environment: Mapping[str, str]) -> str:
    """The name under which this machine knows an image: the local cloud's registry answers for ECR.

    `123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1` -> `127.0.0.1:4566/app:1`, from AWS_ENDPOINT_URL.
    """
    endpoint = urlsplit(environment.get("AWS_ENDPOINT_URL", "")).netloc
    return ECR.sub(endpoint, name, count=1) if endpoint and ECR.match(name) else name


def build_command(name: str, build: Props, local_args: Mapping[str, str], daemon_platform: str) -> list[str]:
    """The arguments of `docker` that build the image under `name`.

    The network is the host's, so that a build reaches what the machine reaches. The daemon's own platform is
    not named: Docker before 23 takes the flag only with experimental features on. Of this machine's own arguments only
    the names are given: docker takes the values from its environment, and no list of processes shows them (a package
    index or a proxy may have a password in its address).
    """
    arguments = build.get("args") or {}
    command = ["build", "--network", build.get("network") or "host", "--file", build["dockerfile"]]
    for argument in sorted({*arguments, *local_args}):
        given = argument if argument in local_args else f"{argument}={arguments[argument]}"
        command += ["--build-arg", given]
    if build.get("target"):
        command += ["--target", build["target"]]
    if build.get("platform") and build["platform"] != daemon_platform:
        command += ["--platform", build["platform"]]
    for host in build.get("addHosts") or ():
        command += ["--add-host", host]
    for image in (build.get("cacheFrom") or {}).get("images") or ():
        command += ["--cache-from", image]
    return [*command, "--tag", name, build["context"]]


def _push(ctx: Context, docker: Docker, name: str) -> str:
    try:
        return pushed_digest(docker.run(ctx, ["push", name]))
    except CommandFailed as error:
        host = registry_host(name)
        raise UserError(f"{_push_failure(host, name, error.tail)}:\n{error.tail}") from error


def _push_failure(host: str, name: str, output: str) -> str:
    if any(sign in output for sign in ("connection refused", "no such host", "i/o timeout")):
        return f"the registry {host} could not be reached"
    if "immutable" in output:
        return f"{host} has another image under {name} already, and its tags cannot be moved: commit the change"
    return f"{host} did not take {name}"


def repository(name: str) -> str:
    """`localhost:4566/release-lane/app:abc` -> `localhost:4566/release-lane/app`."""
    path, slash, last = name.rpartition("/")
    return path + slash + last.partition(":")[0]


def registry_host(name: str) -> str:
    """The registry of an image's name: `localhost:4566`, or Docker Hub where none is named."""
    first, slash, _ = name.partition("/")
    return first if slash and (":" in first or "." in first or first == "localhost") else "docker.io"


def _login(inputs: Props, host: str) -> Login | None:
    registry = inputs.get("registry") or {}
    if not registry.get("username"):
        return None
    return Login(host, registry["username"], registry.get("password") or "")


def _without_digest(inputs: Props) -> Props:
    """Inputs that an earlier check has completed come back where their changes are ignored."""
    build = inputs.get("build")
    if not isinstance(build, dict):
        return inputs
    return inputs | {"build": {name: value for name, value in build.items() if name != "contextDigest"}}


def _missing_files(build: Props) -> list[tuple[str, str]]:
    context, dockerfile = build["context"], build.get("dockerfile", UNKNOWN)
    if context is not UNKNOWN and not Path(context).is_dir():
        return [("build.context", f"there is no directory {Path(context).absolute()}")]
    if dockerfile is not UNKNOWN and not Path(dockerfile).is_file():
        return [("build.dockerfile", f"there is no file {Path(dockerfile).absolute()}")]
    return []
