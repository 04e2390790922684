"""The stack with `role: artifacts`: what is built, or adopted, and into which repository."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from release_lane.errors import ReleaseError
from release_lane.record.adoption import LONGEST_SOURCE, parse_reference, public_address
from release_lane.record.app import App
from release_lane.settings.secrecy import may_be_shown
from release_lane.settings.section import Section, Stack, sound
from release_lane.settings.variables import Variable
from release_lane.settings.wording import shown_name


def path_below(text: str) -> str:
    """A file below the build context, by a path without `..`."""
    parts = text.split("/")
    if text and text[0] != "/" and ".." not in parts and text.isprintable():
        return ""
    return "should be a path below app.folder, without .. in it, like Dockerfile or docker/Dockerfile"


def relative_folder(text: str) -> str:
    """A folder, relative to the checkout; that it is in the repository is seen by git."""
    if text and text[0] not in "/:" and text.isprintable():
        return ""
    return "should be a folder relative to the checkout, like app or . (all of it)"


REPOSITORY = re.compile(r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*")

LONGEST_REPOSITORY = 128
"""ECR takes 2 to 256 characters (AWS/AmazonECR/latest/APIReference/API_CreateRepository.html), but with host and
digest ECS takes IMAGE for the image."""


def repository(name: str) -> str:
    """A repository's name in ECR."""
    if 2 <= len(name) <= LONGEST_REPOSITORY and REPOSITORY.fullmatch(name):
        return ""
    return (
        f"should have 2 to {LONGEST_REPOSITORY} characters: lower-case letters and digits, between them single "
        "hyphens, underscores, full stops or slashes"
    )


def source_address(address: str) -> str:
    """It is kept and shown: no user, password or token."""
    if public_address(address) == " ".join(address.split()) and may_be_shown(address):
        return ""
    return (
        "holds what somebody logs in with (not shown), and the engine's history keeps what an update was given: leave "
        "it out, and change it if it was a secret"
    )


def _reference(text: str) -> str:
    try:
        parse_reference(text)
    except ReleaseError as error:
        raise ValueError(f"{error.what} {error.why}. {error.next_step}") from error
    return text


Repository = Annotated[str, sound(lambda name: repository(name) if name else "")]


class AppSettings(Section):
    """`app`: which folder of the checkout is built, and how."""

    folder: Annotated[str, sound(relative_folder)] = App().folder
    dockerfile: Annotated[str, sound(path_below)] = App().dockerfile
    build_args: dict[str, Variable] = Field(default={})

    def what(self) -> App:
        """As it is handed on."""
        return App(folder=self.folder, dockerfile=self.dockerfile, build_args=self.build_args)


class ArtifactsSettings(Stack):
    """The artifacts stack: the registry and the image of one commit, or one that was built elsewhere (`adopt`)."""

    role: Literal["artifacts"]
    app: AppSettings = AppSettings()
    source: str = ""
    adopt: Annotated[str, AfterValidator(_reference)] = ""
    adopt_commit: str = Field(default="", pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})?$")
    adopt_source: Annotated[str, Field(max_length=LONGEST_SOURCE), sound(source_address)] = ""
    repository: Repository = ""


def artifacts_problems(settings: ArtifactsSettings, project: str) -> list[str]:
    """What only names, or several keys together, can get wrong."""
    default = f"{project}/app"
    problem = repository(default) if not settings.repository else ""
    given = sorted(settings.app.build_args)
    wrong = [f"app.buildArgs.{shown_name(name)}: {bad}" for name in given if (bad := _bad_argument(name))]
    return [*wrong, *([f"repository: {default} {problem}"] if problem else [])]


def _bad_argument(name: str) -> str:
    if name == "COMMIT":
        return "is given by the program itself"
    return "" if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else "is not a name of a build argument"
